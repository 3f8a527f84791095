// What is not saved yet, as this browser keeps it: a tab that is closed loses nothing.
import { isSame, isSameVoice, type Doc, type Fields, type Voice } from './document';

/** One place to keep a text. */
export interface Shelf {
  read(): string | null;
  write(text: string | null): void;
}
export interface Kept {
  lines: Record<string, { before: Fields | null; after: Fields | null }>;
  voices: Record<string, { before: Voice; after: Voice }>;
}

function differing(base: Doc, doc: Doc): Kept {
  const kept: Kept = { lines: {}, voices: {} };
  for (const id of new Set([...base.lines.keys(), ...doc.lines.keys()])) {
    const [was, now] = [base.lines.get(id), doc.lines.get(id)];
    if (!isSame(was, now)) kept.lines[id] = { before: was ?? null, after: now ?? null };
  }
  for (const [name, now] of doc.voices) {
    const was = base.voices.get(name);
    if (was && !isSameVoice(was, now)) kept.voices[name] = { before: was, after: now };
  }
  return kept;
}

export const isUnsaved = (base: Doc, doc: Doc): boolean => {
  const { lines, voices } = differing(base, doc);
  return Object.keys(lines).length > 0 || Object.keys(voices).length > 0;
};

export function write(shelf: Shelf, base: Doc, doc: Doc): void {
  const kept = differing(base, doc);
  const isNothing = !Object.keys(kept.lines).length && !Object.keys(kept.voices).length;
  shelf.write(isNothing ? null : JSON.stringify(kept));
}

export function read(shelf: Shelf): Kept | null {
  const text = shelf.read();
  if (!text) return null;
  try {
    const kept = JSON.parse(text) as Partial<Kept>;
    return kept.lines && kept.voices ? (kept as Kept) : null;
  } catch {
    return null;
  }
}
