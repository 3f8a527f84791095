// A glossary as a table: read from its text, written as text, and what is wrong with it. See docs/GLOSSARY.md.
import { quoted } from '../../design/save';
import { locale } from '../../i18n/index.svelte';

/** What stands for "leave it as it is". */
export const KEEP = '!';
/** Entries a glossary may have. */
export const MOST = 5000;
/** Characters a term or a translation may have. */
export const LONGEST = 200;

export interface Row {
  id: number;
  term: string;
  /** One for each language, or the only one. */
  words: readonly string[];
  /** Whether capitals count; null: they do in a term of capitals only. */
  case: boolean | null;
  /** Where it stood in the file it was read from. */
  line?: number;
}
export interface Table {
  /** What the column of terms is headed by. */
  head: string;
  /** Languages (BCP-47) with a column each; null: one translation for any language. */
  languages: readonly string[] | null;
  rows: readonly Row[];
}
export type BadLine = { line: number; kind: 'quotes' | 'columns' | 'case' | 'control' };
export interface Read extends Table {
  bad: BadLine[];
  /** Lines that are comments: they are not kept by the table. */
  comments: number;
}
export interface Issue {
  kind: 'noTerm' | 'nothing' | 'unspeakable' | 'tooLong' | 'conflict' | 'twice';
  isError: boolean;
  /** The other row, counted from 1. */
  other?: number;
  /** The language it is about. */
  language?: string;
}

const MARKS = ['\t', '=', ',', ';'] as const;
const SOURCE = new Set(['term', 'source', 'word', 'original', 'from']);
const TARGET = new Set(['translation', 'target', 'to', 'meaning']);
const YES = new Set(['yes', 'y', 'true', '1', 'x']);
const NO = new Set(['', 'no', 'n', 'false', '0']);
const TAG = /^[a-z]{2,3}(-[a-z]{4})?(-([a-z]{2}|\d{3}))?(-[a-z0-9]{5,8})*$/i;
const names = new Intl.DisplayNames('en', { type: 'language', fallback: 'none' });

let last = 0;
export const newRow = (columns: number, given: Partial<Row> = {}): Row => ({
  id: (last += 1),
  term: '',
  words: Array<string>(columns).fill(''),
  case: null,
  ...given,
});

/** The canonical tag that heads a column, or null where it is no language. */
export function languageOf(cell: string): string | null {
  if (!TAG.test(cell)) return null;
  const tag = Intl.getCanonicalLocales(cell)[0]!;
  const base = tag.split('-')[0]!;
  // Those that we name ourselves are no words of the browser.
  return names.of(base) === undefined && !locale.has(`common.language.${base}`) ? null : tag;
}

const clean = (cell: string): string => cell.normalize('NFC').split(/\s+/).filter(Boolean).join(' ');
/** Whether a term is written in capitals only. */
export const isCapitals = (term: string): boolean =>
  term === term.toUpperCase() && (term.match(/\p{Lu}/gu)?.length ?? 0) > 1;
const isSpoken = (text: string): boolean => /[\p{L}\p{N}]/u.test(text);
export const isBlank = (row: Row): boolean => !row.term.trim() && row.words.every((one) => !one.trim());

/** The cells of a line, or null where its quotes do not match. */
function cellsOf(line: string, mark: string): string[] | null {
  if (mark === '=') {
    const at = line.indexOf('=');
    return (at < 0 ? [line] : [line.slice(0, at), line.slice(at + 1)]).map((one) => one.trim());
  }
  const cells: string[] = [];
  let rest = line;
  for (;;) {
    const found = /^\s*"((?:[^"]|"")*)"\s*/.exec(rest);
    if (found) {
      cells.push(found[1]!.replace(/""/g, '"'));
      rest = rest.slice(found[0].length);
      if (rest && !rest.startsWith(mark)) return null;
    } else {
      if (/^\s*"/.test(rest)) return null;
      const at = rest.indexOf(mark);
      cells.push(at < 0 ? rest : rest.slice(0, at));
      rest = at < 0 ? '' : rest.slice(at);
    }
    if (!rest) break;
    rest = rest.slice(1);
    if (!rest) cells.push('');
    if (!rest) break;
  }
  while (cells.length > 1 && !cells.at(-1)!.trim()) cells.pop();
  return cells.map((one) => one.trim());
}

/** What stands between term and translation: the sign that most lines hold. */
function markOf(lines: readonly string[]): string {
  const counts = MARKS.map((mark) => lines.filter((line) => line.includes(mark)).length);
  return MARKS[counts.indexOf(Math.max(...counts))]!;
}

/** The table that a text of any of the three layouts is. */
export function read(text: string): Read {
  const bad: BadLine[] = [];
  const all = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/);
  const comments = all.filter((line) => line.trimStart().startsWith('#')).length;
  const lines = all
    .map((line, index) => ({ line, number: index + 1 }))
    .filter(({ line }) => line.trim() && !line.trimStart().startsWith('#'));
  const mark = markOf(lines.map(({ line }) => line));
  const cells = lines.flatMap(({ line, number }) => {
    // eslint-disable-next-line no-control-regex
    const found = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(line) ? undefined : cellsOf(line, mark);
    if (!found) bad.push({ line: number, kind: found === null ? 'quotes' : 'control' });
    return found ? [{ number, found }] : [];
  });
  const heads = cells[0]?.found ?? [];
  const first = (heads[0] ?? '').toLowerCase();
  const tags = heads.slice(1).map(languageOf);
  const isTable =
    tags.length > 0 && !tags.includes(null) && (SOURCE.has(first) || languageOf(first) !== null);
  const isHeaded = isTable || (SOURCE.has(first) && TARGET.has((heads[1] ?? '').toLowerCase()));
  const languages = isTable ? (tags as string[]) : null;
  const most = languages ? languages.length + 1 : 3;
  const rows: Row[] = [];
  for (const { number, found } of cells.slice(isHeaded ? 1 : 0)) {
    const said = languages ? '' : (found[2] ?? '').toLowerCase();
    if (found.length > most) bad.push({ line: number, kind: 'columns' });
    else if (!YES.has(said) && !NO.has(said)) bad.push({ line: number, kind: 'case' });
    else {
      const words = languages
        ? languages.map((_, index) => clean(found[index + 1] ?? ''))
        : [clean(found[1] ?? '')];
      if (!languages && !words[0]) words[0] = KEEP;
      const own = said === '' ? null : YES.has(said);
      rows.push(newRow(0, { term: clean(found[0] ?? ''), words, case: own, line: number }));
    }
  }
  return { head: isTable ? heads[0]! : 'term', languages, rows, bad, comments };
}

/** A table as text (CSV with a line of headings). Blank rows are left out. */
export function write(table: Table): string {
  const heads = table.languages ? [table.head, ...table.languages] : ['term', 'translation', 'case'];
  const lines = table.rows
    .filter((row) => !isBlank(row))
    .map((row) => {
      const said = row.case === null ? '' : row.case ? 'yes' : 'no';
      const words = row.words.map(clean);
      return table.languages ? [clean(row.term), ...words] : [clean(row.term), words[0] || KEEP, said];
    });
  return [heads, ...lines].map((cells) => `${cells.map(quoted).join(',')}\n`).join('');
}

const keyOf = (row: Row): string => {
  const term = clean(row.term);
  return (row.case ?? isCapitals(term)) ? `=${term}` : term.toLowerCase();
};
const meant = (row: Row, word: string): string => (clean(word) === KEEP ? clean(row.term) : clean(word));

/** What is wrong, by the id of the row. */
export function check(table: Table): Map<number, Issue> {
  const found = new Map<number, Issue>();
  const known = new Map<string, { row: Row; at: number }[]>();
  table.rows.forEach((row, index) => {
    if (isBlank(row)) return;
    const issue = wrong(row, table.languages);
    if (issue) return void found.set(row.id, issue);
    const key = keyOf(row);
    const others = known.get(key) ?? [];
    if (!others.length) known.set(key, others);
    for (const other of others) {
      const at = row.words.findIndex((word, column) => {
        const theirs = other.row.words[column] ?? '';
        const isSaid = !table.languages || (word.trim() && theirs.trim());
        return isSaid && meant(row, word || KEEP) !== meant(other.row, theirs || KEEP);
      });
      const language = table.languages?.[at];
      if (at >= 0) {
        const told: Issue = { kind: 'conflict', isError: true, other: other.at + 1 };
        if (language) told.language = language;
        found.set(row.id, told);
        break;
      }
      found.set(row.id, { kind: 'twice', isError: false, other: other.at + 1 });
    }
    others.push({ row, at: index });
  });
  return found;
}

function wrong(row: Row, languages: readonly string[] | null): Issue | null {
  const isError = true;
  if (!isSpoken(row.term)) return { kind: 'noTerm', isError };
  if (languages && row.words.every((one) => !one.trim())) return { kind: 'nothing', isError };
  const at = row.words.findIndex((one) => one.trim() && one.trim() !== KEEP && !isSpoken(one));
  if (at >= 0) return { kind: 'unspeakable', isError, ...(languages ? { language: languages[at]! } : {}) };
  const isLong = [row.term, ...row.words].some((one) => clean(one).length > LONGEST);
  return isLong ? { kind: 'tooLong', isError } : null;
}

/** Whether a row says in every language that its term stays as it is. */
export const isKept = (row: Row): boolean => row.words.every((one) => one.trim() === KEEP);

/** Put the columns of a table in those of another: what one has and the other lacks is added or left empty. */
export function merge(into: Table, from: Table, prefer: 'here' | 'file'): Table {
  const languages = into.languages && [...new Set([...into.languages, ...(from.languages ?? [])])];
  const wide = languages?.length ?? 1;
  const fit = (row: Row, own: readonly string[] | null): string[] =>
    languages
      ? languages.map((tag) => (own ? (row.words[own.indexOf(tag)] ?? '') : (row.words[0] ?? '')))
      : [row.words[0] ?? ''];
  const rows: Row[] = into.rows
    .filter((row) => !isBlank(row))
    .map((row) => ({ ...row, words: fit(row, into.languages) }));
  const known = new Map(rows.map((row, index) => [keyOf(row), index]));
  for (const row of from.rows) {
    const words = fit(row, from.languages);
    const at = known.get(keyOf(row));
    if (at === undefined) {
      known.set(keyOf(row), rows.length);
      rows.push(newRow(wide, { term: row.term, words, case: row.case }));
      continue;
    }
    const old = rows[at]!;
    const both = old.words.map((word, column) => {
      const theirs = words[column] ?? '';
      return prefer === 'file' ? theirs || word : word || theirs;
    });
    rows[at] = { ...old, words: both };
  }
  return { head: into.head, languages, rows };
}
