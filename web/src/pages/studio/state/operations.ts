// What the server is told: the operations that make one document of another, each for one line or voice.
import type { Schemas } from '../../../api';
import { FIELDS, isSame, isSameVoice, type Doc, type Fields, type Voice } from './document';

export type Operation = Schemas['ProjectPatch']['operations'][number];
/** Operations that stand or fall together. */
export interface Step {
  /** Id of the line, or `voice:` and the speaker. */
  about: string;
  operations: Operation[];
}

/** Whether the server would take a line: an added one needs words, and all need something that can be said. */
export function isWhole(fields: Fields, isMade: boolean): boolean {
  return (isMade || fields.text !== '') && (fields.text === '' || /[\p{L}\p{N}]/u.test(fields.text));
}

/** Steps from `base` to `local`. `made` are the lines that a dub made: they come back by their id. */
export function steps(base: Doc, local: Doc, made: ReadonlySet<string>): Step[] {
  const out: Step[] = [];
  for (const [name, voice] of local.voices) {
    const was = base.voices.get(name);
    if (was && !isSameVoice(was, voice)) {
      out.push({ about: `voice:${name}`, operations: [voiceTo(name, was, voice)] });
    }
  }
  const gone: Step[] = [];
  for (const id of new Set([...base.lines.keys(), ...local.lines.keys()])) {
    const [was, now] = [base.lines.get(id), local.lines.get(id)];
    if (isSame(was, now)) continue;
    if (!now) gone.push({ about: id, operations: [{ op: 'remove', line: id }] });
    else if (isWhole(now, made.has(id)))
      out.push({ about: id, operations: lineTo(id, was, now, base, made) });
  }
  return [...out, ...gone];
}

function voiceTo(speaker: string, was: Voice, now: Voice): Operation {
  return {
    op: 'voice',
    speaker,
    ...(was.voice === now.voice ? {} : { voice: now.voice }),
    // Another voice begins with a pitch of its own, so it is always said.
    ...(was.voice === now.voice && was.pitch_hz === now.pitch_hz ? {} : { pitch_hz: now.pitch_hz }),
    ...(was.pace === now.pace ? {} : { pace: now.pace }),
  } as Operation;
}

function lineTo(
  id: string,
  was: Fields | undefined,
  now: Fields,
  base: Doc,
  made: ReadonlySet<string>,
): Operation[] {
  const isNew = !base.voices.has(now.speaker);
  const speaker = { speaker: now.speaker, ...(isNew ? { new_speaker: true } : {}) };
  const { start, end, source, text, keep_original } = now;
  if (was) {
    const changed: Record<string, unknown> = {};
    for (const name of FIELDS) if (was[name] !== now[name]) changed[name] = now[name];
    if ('speaker' in changed) Object.assign(changed, speaker);
    // Who gives a line words wants it spoken, says the server; here both are said.
    if (keep_original && (changed.text || changed.source)) changed.keep_original = true;
    return [{ op: 'set', line: id, ...changed } as Operation];
  }
  if (made.has(id)) {
    const all = { ...speaker, start, end, source, text, keep_original };
    return [{ op: 'undo', line: id } as Operation, { op: 'set', line: id, ...all } as Operation];
  }
  const added = { op: 'add', id, ...speaker, start, end, text, source } as Operation;
  return keep_original ? [added, { op: 'set', line: id, keep_original: true } as Operation] : [added];
}
