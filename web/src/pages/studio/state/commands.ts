// What a person does, as a change from one document to the next that can be taken back and done again.
import {
  FIELDS,
  SHORTEST,
  fieldsOf,
  inOrder,
  isSame,
  isSameVoice,
  ms,
  plain,
  type Doc,
  type Fields,
  type Voice,
} from './document';

/** Names of what was done, for words: `studio.did.split`. */
export type Deed =
  | 'text'
  | 'source'
  | 'speaker'
  | 'times'
  | 'keep'
  | 'split'
  | 'merge'
  | 'add'
  | 'remove'
  | 'voice'
  | 'lock'
  | 'unlock'
  | 'replace'
  | 'wording'
  | 'restore'
  | 'reset';
interface Pair<T> {
  before: T | null;
  after: T | null;
}
/** One thing that was done. */
export interface Change {
  deed: Deed;
  lines: Record<string, Pair<Fields>>;
  voices: Record<string, Pair<Voice>>;
  locks: Record<string, { before: boolean; after: boolean }>;
}

/** What differs between two documents; null where nothing does. */
export function changeOf(deed: Deed, before: Doc, after: Doc): Change | null {
  const change: Change = { deed, lines: {}, voices: {}, locks: {} };
  for (const id of new Set([...before.lines.keys(), ...after.lines.keys()])) {
    const [was, now] = [before.lines.get(id), after.lines.get(id)];
    if (!isSame(was, now)) change.lines[id] = { before: was ?? null, after: now ?? null };
  }
  for (const [name, now] of after.voices) {
    const was = before.voices.get(name);
    if (was && !isSameVoice(was, now)) change.voices[name] = { before: was, after: now };
  }
  for (const id of new Set([...before.locked, ...after.locked])) {
    const [was, now] = [before.locked.has(id), after.locked.has(id)];
    if (was !== now) change.locks[id] = { before: was, after: now };
  }
  const isNothing = [change.lines, change.voices, change.locks].every((part) => !Object.keys(part).length);
  return isNothing ? null : change;
}

/** A change the other way round. */
export function inverse(change: Change): Change {
  const turned = <T extends { before: unknown; after: unknown }>(all: Record<string, T>): Record<string, T> =>
    Object.fromEntries(
      Object.entries(all).map(([key, { before, after }]) => [key, { before: after, after: before } as T]),
    );
  return {
    deed: change.deed,
    lines: turned(change.lines),
    voices: turned(change.voices),
    locks: turned(change.locks),
  };
}

/** Do a change to whatever the document is now: only what it changed is set. Lines that went since are passed over. */
export function apply(doc: Doc, change: Change): Doc {
  const lines = new Map(doc.lines);
  for (const [id, { before, after }] of Object.entries(change.lines)) {
    if (!after) lines.delete(id);
    else if (!before) lines.set(id, after);
    else {
      const now = lines.get(id);
      if (!now) continue;
      const next = { ...now };
      for (const name of FIELDS)
        if (before[name] !== after[name]) Object.assign(next, { [name]: after[name] });
      lines.set(
        id,
        next.end - next.start < SHORTEST ? { ...next, start: after.start, end: after.end } : next,
      );
    }
  }
  const voices = new Map(doc.voices);
  for (const [name, { after }] of Object.entries(change.voices)) if (after) voices.set(name, after);
  const locked = new Set(doc.locked);
  for (const [id, { after }] of Object.entries(change.locks)) {
    if (after && lines.has(id)) locked.add(id);
    else locked.delete(id);
  }
  return { lines, voices, locked };
}

/** Lines that a change speaks of, in no order. */
export const touched = (change: Change): string[] => [
  ...new Set([...Object.keys(change.lines), ...Object.keys(change.locks)]),
];

const withLine = (doc: Doc, id: string, fields: Fields | null): Doc => {
  const lines = new Map(doc.lines);
  if (fields) lines.set(id, fields);
  else lines.delete(id);
  return { ...doc, lines };
};

/** New values of a line. Words wish to be heard: who gives a kept line words has it spoken, unless told otherwise. */
export function set(doc: Doc, id: string, values: Partial<Fields>): Doc {
  const now = doc.lines.get(id);
  if (!now || doc.locked.has(id)) return doc;
  const next = { ...now, ...values };
  next.text = plain(next.text);
  next.source = plain(next.source);
  if (values.text && values.text !== now.text && values.keep_original === undefined)
    next.keep_original = false;
  next.start = ms(next.start);
  next.end = ms(next.end);
  if (next.start < 0 || next.end - next.start < SHORTEST) return doc;
  return isSame(now, next) ? doc : withLine(doc, id, next);
}

/** Two texts of one, cut at the blank nearest to `part` (0..1) of it. */
export function halves(text: string, part: number): [string, string] {
  const wanted = part * text.length;
  let at = -1;
  for (let blank = text.indexOf(' '); blank >= 0; blank = text.indexOf(' ', blank + 1)) {
    if (at < 0 || Math.abs(blank - wanted) < Math.abs(at - wanted)) at = blank;
  }
  if (at < 0) {
    // Languages without blanks are cut between characters; a single word is not.
    const isSpaced = /^[\p{ASCII}\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Arabic}]*$/u.test(text);
    at = isSpaced ? text.length : Math.min(Math.max(1, Math.round(wanted)), text.length - 1);
  }
  return [text.slice(0, at).trim(), text.slice(at).trim()];
}

export interface Cut {
  /** Seconds; where the second line begins. Without it: where the text is cut. */
  at?: number | undefined;
  /** Characters of the wording in front of the cut. Without it: where the time is cut. */
  caret?: number | undefined;
}

/** Make two lines of one, the second called `name`. The same document where it cannot be. */
export function split(doc: Doc, id: string, cut: Cut, name: string): Doc {
  const line = doc.lines.get(id);
  if (!line || doc.locked.has(id)) return doc;
  const length = line.end - line.start;
  let at = cut.at;
  let texts: [string, string] | undefined;
  if (cut.caret !== undefined && cut.caret > 0 && cut.caret < line.text.length) {
    texts = [line.text.slice(0, cut.caret).trim(), line.text.slice(cut.caret).trim()];
    at ??= line.start + (length * cut.caret) / line.text.length;
  }
  at = ms(at ?? line.start + length / 2);
  if (at < line.start + SHORTEST || at > line.end - SHORTEST) return doc;
  const part = (at - line.start) / length;
  texts ??= halves(line.text, part);
  if (!texts[0] || !texts[1]) return doc;
  let sources = halves(line.source, part);
  if (!sources[0] || !sources[1]) sources = [line.source, ''];
  const first = { ...line, end: at, text: texts[0], source: sources[0], keep_original: false };
  const second = { ...line, start: at, text: texts[1], source: sources[1], keep_original: false };
  return withLine(withLine(doc, id, first), name, second);
}

/** The line after one, in order of time. */
export function after(doc: Doc, id: string): string | undefined {
  const all = inOrder(doc.lines);
  const at = all.indexOf(id);
  return at < 0 ? undefined : all[at + 1];
}

/** Why two lines cannot be joined: `last`, `locked`, or `speakers`; null where they can. `heard`: who said a line. */
export function whyNotMerge(
  doc: Doc,
  id: string,
  heard: (line: string) => string | undefined,
): 'last' | 'locked' | 'speakers' | null {
  const other = after(doc, id);
  const [first, second] = [doc.lines.get(id), other ? doc.lines.get(other) : undefined];
  if (!first || !second || !other) return 'last';
  if (doc.locked.has(id) || doc.locked.has(other)) return 'locked';
  // Else the second one's own sound would stay beneath.
  const isOne = first.speaker === second.speaker && (heard(other) ?? second.speaker) === second.speaker;
  return isOne ? null : 'speakers';
}

/** Make one line of a line and the one after it. */
export function join(doc: Doc, id: string): Doc {
  const other = after(doc, id);
  const [first, second] = [doc.lines.get(id), other ? doc.lines.get(other) : undefined];
  if (!first || !second || !other) return doc;
  const both = (name: 'text' | 'source'): string => [first[name], second[name]].filter(Boolean).join(' ');
  const joined = {
    ...first,
    end: Math.max(first.end, second.end),
    text: both('text'),
    source: both('source'),
    keep_original: false,
  };
  return withLine(withLine(doc, id, joined), other, null);
}

export function remove(doc: Doc, id: string): Doc {
  return doc.lines.has(id) && !doc.locked.has(id) ? withLine(doc, id, null) : doc;
}

export function add(doc: Doc, id: string, fields: Fields): Doc {
  const tidy = {
    ...fieldsOf(fields),
    start: ms(fields.start),
    end: ms(fields.end),
    text: plain(fields.text),
  };
  return doc.lines.has(id) || tidy.end - tidy.start < SHORTEST ? doc : withLine(doc, id, tidy);
}

/** The silence around a moment, for a line to be added: at most `longest` seconds of it. */
export function roomAt(doc: Doc, at: number, limit: number, longest = 2): { start: number; end: number } {
  let [from, to] = [0, limit];
  for (const line of doc.lines.values()) {
    if (line.end <= at) from = Math.max(from, line.end);
    else if (line.start >= at) to = Math.min(to, line.start);
  }
  const start = ms(Math.max(from, Math.min(at, Math.max(from, to - SHORTEST * 5))));
  return { start, end: ms(Math.max(start + SHORTEST * 5, Math.min(to, start + longest))) };
}

export function withVoice(doc: Doc, speaker: string, values: Partial<Voice>): Doc {
  const now = doc.voices.get(speaker);
  if (!now) return doc;
  const next = { ...now, ...values };
  if (isSameVoice(now, next)) return doc;
  return { ...doc, voices: new Map(doc.voices).set(speaker, next) };
}

export function withLock(doc: Doc, id: string, isLocked: boolean): Doc {
  if (!doc.lines.has(id) || doc.locked.has(id) === isLocked) return doc;
  const locked = new Set(doc.locked);
  if (isLocked) locked.add(id);
  else locked.delete(id);
  return { ...doc, locked };
}
