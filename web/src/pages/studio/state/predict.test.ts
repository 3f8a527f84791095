import { describe, expect, test } from 'vitest';
import { fitOf, guess, tempo, weight, wordOf } from './predict';
import { line } from './sample';

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
  test('what the server says is wrong comes before the rate', () => {
    expect(wordOf(1)).toBe('good');
    expect(wordOf(1.3)).toBe('fast');
    expect(wordOf(1, ['too_long'])).toBe('too_long');
    expect(wordOf(1.14, ['too_long', 'overlap'])).toBe('overlap');
    expect(wordOf(1.25, ['emergency_rate'])).toBe('fast');
    expect(wordOf(1, ['late'])).toBe('good');
  });
});
