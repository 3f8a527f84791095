import { describe, expect, test } from 'vitest';
import { shifts, soundsIn, soundsOf, type Sound } from './shift';
import { line, transcript } from './sample';

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
  test('without a project the transcript tells it', () => {
    const silent = line('B', 2, { timing: null });
    expect(Object.keys(soundsIn(transcript([line('A', 0), silent])))).toEqual(['A']);
  });
});
