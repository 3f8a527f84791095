// A dub's text as it is edited: plain values, compared and merged field by field. Times are seconds, whole milliseconds.
import type { Schemas } from '../../../api';

export type Line = Schemas['LineShape'];
export type Transcript = Schemas['TranscriptShape'];
export type Edited = Schemas['EditedShape'];
export type Speaker = Schemas['SpeakerShape'];
export type Voice = NonNullable<Speaker['voice']>;
/** What a person may change of a line. */
export type Fields = Pick<Line, 'speaker' | 'start' | 'end' | 'source' | 'text' | 'keep_original'>;
export type Field = keyof Fields;
export const FIELDS: readonly Field[] = ['speaker', 'start', 'end', 'source', 'text', 'keep_original'];
/** Seconds a line needs at least. */
export const SHORTEST = 0.1;
/** Characters a text may have. */
export const LONGEST = 2000;

/** Everything that is edited. Never changed in place: every edit makes a new one. */
export interface Doc {
  readonly lines: ReadonlyMap<string, Fields>;
  readonly voices: ReadonlyMap<string, Voice>;
  readonly locked: ReadonlySet<string>;
}

/** Seconds in whole milliseconds, as the server keeps them. */
export const ms = (seconds: number): number => Math.round(seconds * 1000) / 1000;
/** A text as the server keeps it: one line, single blanks. */
export const plain = (text: string): string => text.split(/\s+/u).filter(Boolean).join(' ');

export function fieldsOf(line: Fields): Fields {
  const { speaker, start, end, source, text, keep_original } = line;
  return { speaker, start, end, source, text, keep_original };
}

export const isSame = (one: Fields | undefined, other: Fields | undefined): boolean =>
  one === other || (!!one && !!other && FIELDS.every((name) => one[name] === other[name]));

export const isSameVoice = (one: Voice | undefined, other: Voice | undefined): boolean =>
  one === other ||
  (!!one &&
    !!other &&
    one.voice === other.voice &&
    one.pitch_hz === other.pitch_hz &&
    one.pace === other.pace);

export function docOf(transcript: Pick<Transcript, 'lines' | 'speakers'>): Doc {
  const voices = new Map<string, Voice>();
  for (const one of transcript.speakers) if (one.voice) voices.set(one.name, one.voice);
  return {
    lines: new Map(transcript.lines.map((line) => [line.id, fieldsOf(line)])),
    voices,
    locked: new Set(transcript.lines.filter((line) => line.locked).map((line) => line.id)),
  };
}

/** Ids in order of time, as the server orders them. */
export function inOrder(lines: ReadonlyMap<string, Fields>): string[] {
  return [...lines]
    .sort(([a, one], [b, other]) => one.start - other.start || (a < b ? -1 : a > b ? 1 : 0))
    .map(([id]) => id);
}

/** Something that two people changed in two ways: what is kept is theirs. */
export interface Clash {
  line: string;
  /** `gone`: they took the line out; `kept`: they changed a line that was taken out here. */
  what: Field | 'gone' | 'kept' | 'voice';
  mine: string | number | boolean;
  theirs: string | number | boolean;
}

/** Put what was changed here since `base` onto `theirs`. Where both changed the same, theirs stays. */
export function merge(base: Doc, mine: Doc, theirs: Doc): { doc: Doc; clashes: Clash[] } {
  const clashes: Clash[] = [];
  const lines = new Map(theirs.lines);
  for (const id of new Set([...base.lines.keys(), ...mine.lines.keys()])) {
    const [was, own, other] = [base.lines.get(id), mine.lines.get(id), theirs.lines.get(id)];
    if (isSame(was, own) || isSame(own, other)) continue;
    if (!own) {
      if (isSame(was, other)) lines.delete(id);
      else if (other) clashes.push({ line: id, what: 'kept', mine: '', theirs: other.text });
    } else if (!other) {
      if (was) clashes.push({ line: id, what: 'gone', mine: own.text, theirs: '' });
      else lines.set(id, own);
    } else {
      lines.set(id, mergeFields(id, was, own, other, clashes));
    }
  }
  const voices = new Map(theirs.voices);
  for (const [name, own] of mine.voices) {
    const [was, other] = [base.voices.get(name), theirs.voices.get(name)];
    if (isSameVoice(was, own) || isSameVoice(own, other) || !other) continue;
    if (isSameVoice(was, other)) voices.set(name, own);
    else clashes.push({ line: name, what: 'voice', mine: own.voice, theirs: other.voice });
  }
  const locked = new Set(theirs.locked);
  for (const id of new Set([...base.locked, ...mine.locked])) {
    if (base.locked.has(id) === mine.locked.has(id)) continue;
    if (mine.locked.has(id) && lines.has(id)) locked.add(id);
    else locked.delete(id);
  }
  return { doc: { lines, voices, locked }, clashes };
}

function mergeFields(
  line: string,
  was: Fields | undefined,
  own: Fields,
  other: Fields,
  clashes: Clash[],
): Fields {
  const merged = { ...other };
  for (const what of FIELDS) {
    if (own[what] === other[what] || own[what] === was?.[what]) continue;
    if (was && other[what] !== was[what]) clashes.push({ line, what, mine: own[what], theirs: other[what] });
    else Object.assign(merged, { [what]: own[what] });
  }
  // Times of two people together may make no line.
  return merged.end - merged.start < SHORTEST ? { ...merged, start: other.start, end: other.end } : merged;
}

/** A transcript after a change, by what the server answered. */
export function answered(was: Transcript, answer: Edited): Transcript {
  const { revision, made, stale, speakers } = answer;
  const changed = new Map(answer.lines.map((line) => [line.id, line]));
  const gone = new Set(answer.removed);
  const known = new Set(was.lines.map((line) => line.id));
  const lines = [
    ...was.lines.filter((line) => !gone.has(line.id)).map((line) => changed.get(line.id) ?? line),
    ...answer.lines.filter((line) => !known.has(line.id)),
  ].sort((a, b) => a.start - b.start || (a.id < b.id ? -1 : 1));
  const removed = [
    ...was.removed.filter((line) => !changed.has(line.id)),
    ...was.lines
      .filter((line) => gone.has(line.id) && line.made)
      .map((line) => ({ id: line.id, source: line.made?.source ?? line.source })),
  ];
  return { ...was, revision, made, stale, speakers, lines, removed };
}
