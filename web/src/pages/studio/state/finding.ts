// Find words in all lines, and put others in their place.
import { changeOf, set, type Change } from './commands';
import { inOrder, type Doc } from './document';

export interface Search {
  words: string;
  /** Where: what the dub says, or what is said in the source. */
  where: 'text' | 'source';
  exactCase: boolean;
  wholeWords: boolean;
}
export interface Found {
  line: string;
  start: number;
  end: number;
}

/** The search as an expression; null for nothing to look for. */
function expression({ words, exactCase, wholeWords }: Search): RegExp | null {
  if (!words.trim()) return null;
  const literal = words.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const [from, to] = wholeWords ? ['(?<![\\p{L}\\p{N}_])', '(?![\\p{L}\\p{N}_])'] : ['', ''];
  return new RegExp(`${from}${literal}${to}`, exactCase ? 'gu' : 'giu');
}

/** Every place, in order of time. */
export function find(doc: Doc, search: Search): Found[] {
  const wanted = expression(search);
  if (!wanted) return [];
  return inOrder(doc.lines).flatMap((line) => {
    const text = doc.lines.get(line)![search.where];
    return [...text.matchAll(wanted)].map((one) => ({
      line,
      start: one.index,
      end: one.index + one[0].length,
    }));
  });
}

/** Put words in the place of all that is found, in the lines given or in all; locked lines stay. Null: nothing changed. */
export function replace(doc: Doc, search: Search, by: string, only?: ReadonlySet<string>): Change | null {
  const wanted = expression(search);
  if (!wanted) return null;
  let next = doc;
  for (const [id, line] of doc.lines) {
    if (only && !only.has(id)) continue;
    const text = line[search.where].replace(wanted, () => by);
    if (text !== line[search.where]) next = set(next, id, { [search.where]: text });
  }
  return changeOf('replace', doc, next);
}

/** Places by their lines, in the same order. */
export function byLine(found: readonly Found[]): [string, Found[]][] {
  const out = new Map<string, Found[]>();
  for (const one of found) out.set(one.line, [...(out.get(one.line) ?? []), one]);
  return [...out];
}
