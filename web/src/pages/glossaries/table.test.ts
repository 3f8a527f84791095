import { describe, expect, it } from 'vitest';
import { check, isCapitals, languageOf, merge, read, write, type Table } from './table';

const plain = (table: Table): (string | boolean | null)[][] =>
  table.rows.map((row) => [row.term, ...row.words, row.case]);
const issues = (text: string): (string | undefined)[] => {
  const table = read(text);
  const found = check(table);
  return table.rows.map((row) => found.get(row.id)?.kind);
};

describe('a glossary is read', () => {
  it('as pairs, where a term alone stays as it is', () => {
    const found = read('# names\nstream = flujo\n\nAutodub\n');
    expect(plain(found)).toEqual([
      ['stream', 'flujo', null],
      ['Autodub', '!', null],
    ]);
    expect(found.languages).toBeNull();
    expect(found.comments).toBe(1);
  });

  it('as a table for one language, with capitals that count', () => {
    const found = read('term;translation;case\r\nIT;TI;no\r\nMay;mayo;yes\r\n"a; b";c\r\n');
    expect(plain(found)).toEqual([
      ['IT', 'TI', false],
      ['May', 'mayo', true],
      ['a; b', 'c', null],
    ]);
  });

  it('as a table for several languages, headed by tags in any capitals', () => {
    const found = read('\uFEFFterm\tes\tPT-br\nstream\tflujo\tfluxo\nAutodub\t!\n');
    expect(found.languages).toEqual(['es', 'pt-BR']);
    expect(plain(found)[1]).toEqual(['Autodub', '!', '', null]);
  });

  it('with every line that cannot be used, by its number', () => {
    const found = read('term,translation,case\n"a,b\nc,d,maybe\ne,f,yes,g\nh,i\u0007\nj,k\n');
    expect([...found.bad].sort((a, b) => a.line - b.line)).toEqual([
      { line: 2, kind: 'quotes' },
      { line: 3, kind: 'case' },
      { line: 4, kind: 'columns' },
      { line: 5, kind: 'control' },
    ]);
    expect(plain(found)).toEqual([['j', 'k', null]]);
  });
});

describe('a glossary is written', () => {
  it('so that reading it gives the same', () => {
    const text = 'term,translation,case\n"say ""a, b""",ja,\n"# one",eins,yes\nIT,!,no\n';
    expect(write(read(text))).toBe(text);
    const wide = 'en,es,fr\nstream,flujo,\nAutodub,!,!\n';
    expect(write(read(wide))).toBe(wide);
  });

  it('without blank rows, and with ! where nothing was said', () => {
    const table: Table = {
      head: 'term',
      languages: null,
      rows: [
        { id: 1, term: ' a  b ', words: [''], case: null },
        { id: 2, term: ' ', words: [' '], case: null },
      ],
    };
    expect(write(table)).toBe('term,translation,case\na b,!,\n');
  });
});

describe('a glossary is checked', () => {
  it('for two that say something else about one term, whatever its capitals', () => {
    expect(issues('term,translation\nStream,flujo\nstream,corriente\nstream,flujo\n')).toEqual([
      undefined,
      'conflict',
      'conflict',
    ]);
  });

  it('and capitals count where the term is told apart by them', () => {
    expect(issues('NATO = OTAN\nnato = eso\n')).toEqual([undefined, undefined]);
  });

  it('language by language: an empty cell says nothing', () => {
    const table = read('term,es,fr\na,x,\na,,y\na,z,y\n');
    const found = check(table);
    expect(table.rows.map((row) => found.get(row.id))).toEqual([
      undefined,
      { kind: 'twice', isError: false, other: 1 },
      { kind: 'conflict', isError: true, other: 1, language: 'es' },
    ]);
  });

  it('for what has no term, no translation, cannot be said, or is too long', () => {
    expect(issues(`term,es\n--,x\nb,\nc,?\n${'d'.repeat(201)},x\n`)).toEqual([
      'noTerm',
      'nothing',
      'unspeakable',
      'tooLong',
    ]);
  });

  it('row by row: 2,000 that are right have nothing wrong', () => {
    const rows = Array.from({ length: 2000 }, (_, index) => `term ${index},word`).join('\n');
    expect(check(read(`term,translation\n${rows}\n`)).size).toBe(0);
  });
});

describe('two glossaries are put together', () => {
  const here = read('term,es\na,eins\nb,\n');
  const file = read('term,es,fr\na,zwei,deux\nc,drei,!\n');

  it('keeping what is here, and taking new columns along', () => {
    const both = merge(here, file, 'here');
    expect(both.languages).toEqual(['es', 'fr']);
    expect(plain(both)).toEqual([
      ['a', 'eins', 'deux', null],
      ['b', '', '', null],
      ['c', 'drei', '!', null],
    ]);
  });

  it('or what the file says', () => {
    expect(plain(merge(here, file, 'file'))[0]).toEqual(['a', 'zwei', 'deux', null]);
  });
});

describe('languages and capitals', () => {
  it('are told from other words', () => {
    expect(['es', 'zh-hant-tw', 'case', 'translation', 'qq', 'note'].map(languageOf)).toEqual([
      'es',
      'zh-Hant-TW',
      null,
      null,
      null,
      null,
    ]);
    expect(['IT', 'NATO 2', 'I', 'It', '中文'].map(isCapitals)).toEqual([true, true, false, false, false]);
  });
});
