import { describe, expect, test } from 'vitest';
import { next, problems } from './risk';
import { line } from './sample';

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
