import { describe, expect, test } from 'vitest';
import { set, withLock } from './commands';
import { docOf } from './document';
import { find, replace, type Search } from './finding';
import { colours, newId } from './names';
import { fitOf, guess, tempo, weight } from './predict';
import { next, problems } from './risk';
import { line, transcript } from './sample';
import { shifts, soundsOf, type Sound } from './shift';
import { SHORTCUTS, actOf, keysOf } from './shortcuts';

const flagged = (id: string, start: number, ...flags: string[]) =>
  line(id, start, { timing: { start, end: start + 1.4, rate: 1.2, stretch: 1, flags } });

describe('problems', () => {
  test('what is lost comes before what sounds hurried, and that before what is short', () => {
    const found = problems([
      flagged('A', 0, 'short'),
      flagged('B', 2, 'fast'),
      flagged('C', 4, 'overlap'),
      line('D', 6, { timing: null }),
      line('E', 8),
    ]);
    expect(found.map((one) => one.line)).toEqual(['D', 'C', 'B', 'A']);
    expect(found[2]!.doubts).toEqual([{ trouble: 'fast', value: 1.2 }]);
  });
  test('several doubts make more than each, and never more than certainty', () => {
    const [both, one] = problems([flagged('A', 0, 'fast'), flagged('B', 2, 'fast', 'overlap')]);
    expect(both!.line).toBe('B');
    expect(both!.doubts[0]!.trouble).toBe('overlap');
    expect(both!.risk).toBeGreaterThan(one!.risk);
    expect(both!.risk).toBeLessThan(1);
  });
  test('a line that was changed since is not judged by how it sounded', () => {
    expect(problems([line('A', 0, { ...flagged('A', 0, 'overlap'), stale: true })])).toEqual([]);
  });
  test('kept originals: by choice they are none, for a reason they are', () => {
    expect(problems([line('A', 0, { keep_original: true, timing: null })])).toEqual([]);
    const [found] = problems([line('A', 0, { text: '', note: 'singing', timing: null })]);
    expect(found!.doubts).toEqual([{ trouble: 'kept', value: 'singing' }]);
  });
  test('a refused line is the worst', () => {
    const lines = [flagged('A', 0, 'overlap'), { ...line('B', 2), refusal: 'not that' }];
    expect(problems(lines)[0]).toMatchObject({
      line: 'B',
      doubts: [{ trouble: 'refused', value: 'not that' }],
    });
  });
  test('cut words are known from the finished file', () => {
    const found = problems([line('A', 0)], [{ line: 'A', kind: 'cut' }]);
    expect(found[0]!.doubts[0]!.trouble).toBe('cut');
  });
  test('a speaker cannot say two lines at once', () => {
    const found = problems([line('A', 0), line('B', 1), line('C', 1.2, { speaker: 'S2' })]);
    expect(found).toEqual([
      { line: 'B', risk: expect.closeTo(0.3), doubts: [{ trouble: 'collides', value: 0.5 }] },
    ]);
  });
  test('the next problem goes round, both ways', () => {
    const found = problems([flagged('A', 0, 'short'), flagged('B', 2, 'fast')]);
    expect(next(found, null)).toBe('B');
    expect(next(found, 'B')).toBe('A');
    expect(next(found, 'A')).toBe('B');
    expect(next(found, 'B', -1)).toBe('A');
    expect(next(found, 'elsewhere')).toBe('B');
    expect(next([], 'B')).toBeNull();
  });
});

describe('guessing lengths', () => {
  test('a voice is as fast as it was, also where it was told to hurry', () => {
    const lines = [
      line('A', 0, { text: 'x'.repeat(14), timing: { start: 0, end: 1, rate: 1, stretch: 1, flags: [] } }),
      line('B', 2, { text: 'x'.repeat(28), timing: { start: 2, end: 3, rate: 2, stretch: 1, flags: [] } }),
      line('C', 4, { text: 'x', stale: true }),
    ];
    expect(tempo(lines, 'S1')).toBeCloseTo(14);
    expect(tempo(lines, 'S2')).toBeNull();
    expect(guess('x'.repeat(28), 14, 1)).toEqual({ seconds: 2, rate: 2 });
    expect(guess('', 14, 1)).toBeNull();
  });
  test('signs weigh more than letters, and blanks nothing', () => {
    expect(weight('ab, 1')).toBe(3);
    expect(weight('天気')).toBe(6);
  });
  test('rates sound good, brisk, fast or short', () => {
    expect([0.5, 0.9, 1.05, 1.1, 1.3].map(fitOf)).toEqual(['short', 'good', 'good', 'brisk', 'fast']);
  });
});

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
});

describe('how the plan moved', () => {
  const at = (start: number, rate = 1): Sound => ({ start, end: start + 1, rate, stretch: 1, flags: [] });
  test('lines that moved, changed their rate, came or went', () => {
    const found = shifts(
      { A: at(0), B: at(2), C: at(4), D: at(6) },
      { A: at(0.01), B: at(2.3), C: at(4, 1.1), E: at(8) },
    );
    expect(found.map((one) => one.line)).toEqual(['B', 'C', 'D', 'E']);
    expect(found[0]!.by).toBeCloseTo(0.3);
    expect(found[2]!.after).toBeNull();
  });
  test('a project tells where its lines sound', () => {
    const timing = { start_ms: 1000, end_ms: 2500, native_rate: 1.1, stretch: 1, flags: ['fast'] };
    expect(
      soundsOf({
        lines: [
          { id: 'A', timing },
          { id: 'B', timing: null },
        ],
      }),
    ).toEqual({
      A: { start: 1, end: 2.5, rate: 1.1, stretch: 1, flags: ['fast'] },
    });
    expect(soundsOf(null)).toEqual({});
  });
});

describe('keys', () => {
  const press = (key: string, more: Partial<KeyboardEvent> = {}): Parameters<typeof actOf>[0] => ({
    key,
    ctrlKey: false,
    metaKey: false,
    shiftKey: false,
    altKey: false,
    ...more,
  });
  const free = { isTyping: false, hasLetters: true };
  test('letters do something, but not while one types or has switched them off', () => {
    expect(actOf(press('j'), free)).toBe('next');
    expect(actOf(press('j'), { ...free, isTyping: true })).toBeNull();
    expect(actOf(press('j'), { ...free, hasLetters: false })).toBeNull();
    expect(actOf(press('ArrowDown'), { ...free, hasLetters: false })).toBe('next');
  });
  test('Shift, Ctrl and Command tell keys apart', () => {
    expect(actOf(press('n'), free)).toBe('problem');
    expect(actOf(press('N', { shiftKey: true }), free)).toBe('problemBack');
    expect(actOf(press('z', { ctrlKey: true }), free)).toBe('undo');
    expect(actOf(press('z', { metaKey: true, shiftKey: true }), free)).toBe('redo');
    expect(actOf(press('?', { shiftKey: true }), free)).toBe('help');
    expect(actOf(press('?'), free)).toBe('help');
    expect(actOf(press('j', { ctrlKey: true }), free)).toBeNull();
  });
  test('no two shortcuts share their keys', () => {
    const all = SHORTCUTS.map((one) => keysOf(one, false).join('+'));
    expect(new Set(all).size).toBe(all.length);
  });
});

test('names of new lines are free, and speakers keep their colours by their place', () => {
  const tried: string[] = [];
  const id = newId({ has: (one) => tried.push(one) < 3 });
  expect(tried).toHaveLength(3);
  expect(id).toMatch(/^mine-[a-z0-9]{7}$/);
  expect([...colours(['S10', 'S2', 'S1'])]).toEqual([
    ['S1', 1],
    ['S2', 2],
    ['S10', 3],
  ]);
  expect(set(docOf(transcript()), 'nothing', { text: 'x' }).lines.size).toBe(3);
});
