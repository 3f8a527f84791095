import { describe, expect, test } from 'vitest';
import { withLock } from './commands';
import { docOf } from './document';
import { byLine, find, replace, type Search } from './finding';
import { line, transcript } from './sample';

describe('finding', () => {
  const doc = docOf(
    transcript([line('A', 0, { text: 'El mar y el Mar.' }), line('B', 2, { text: 'Marta ama el mar' })]),
  );
  const search = (more: Partial<Search>): Search => ({
    words: 'mar',
    where: 'text',
    exactCase: false,
    wholeWords: false,
    ...more,
  });
  test('places are found in order of time', () => {
    expect(find(doc, search({})).map((one) => `${one.line}${one.start}`)).toEqual(['A3', 'A12', 'B0', 'B13']);
    expect(find(doc, search({ exactCase: true }))).toHaveLength(2);
    expect(find(doc, search({ wholeWords: true }))).toHaveLength(3);
    expect(find(doc, search({ words: '  ' }))).toEqual([]);
  });
  test('signs of expressions are words like others', () => {
    expect(find(doc, search({ words: '.' }))).toHaveLength(1);
  });
  test('all are replaced as one change, those of locked lines are not', () => {
    const change = replace(doc, search({ wholeWords: true }), '$& océano');
    expect(change!.lines.A!.after!.text).toBe('El $& océano y el $& océano.');
    expect(change!.lines.B!.after!.text).toBe('Marta ama el $& océano');
    expect(Object.keys(replace(withLock(doc, 'A', true), search({}), 'x')!.lines)).toEqual(['B']);
    expect(Object.keys(replace(doc, search({}), 'x', new Set(['A']))!.lines)).toEqual(['A']);
    expect(replace(doc, search({ words: 'none' }), 'x')).toBeNull();
  });
  test('places are put together by their lines', () => {
    expect(byLine(find(doc, search({}))).map(([id, places]) => [id, places.length])).toEqual([
      ['A', 2],
      ['B', 2],
    ]);
  });
});
