import { describe, expect, it } from 'vitest';
import { days, months } from './months';
import { ticks } from './scale';

describe('months', () => {
  it('go back over the turn of a year, as the calendar of UTC has them', () => {
    expect(months(new Date('2027-01-31T23:30:00Z'), 3)).toEqual(['2027-01', '2026-12', '2026-11']);
  });
  it('have all their days', () => {
    expect(days('2028-02')).toHaveLength(29);
    expect(days('2026-12').at(-1)).toBe('2026-12-31');
  });
});

describe('the lines of a chart', () => {
  it.each([
    [0, [0, 1]],
    [4, [0, 1, 2, 3, 4]],
    [7, [0, 2, 4, 6, 8]],
    [0.031, [0, 0.01, 0.02, 0.03, 0.04]],
    [961, [0, 250, 500, 750, 1000]],
  ])('hold %d', (largest, lines) => {
    expect(ticks(largest)).toEqual(lines);
  });
});
