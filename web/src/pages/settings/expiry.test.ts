import { describe, expect, it } from 'vitest';
import { dayOf, ends, isOver } from './expiry';

describe('the end of a key', () => {
  it('is so many days from now, or never', () => {
    expect(ends('30', '', 1000)).toBe(1000 + 30 * 86_400);
    expect(ends('never', '', 1000)).toBeNull();
  });
  it('is the end of the day that was chosen, where the reader is', () => {
    expect(ends('date', '2027-12-31')).toBe(new Date(2028, 0, 1).getTime() / 1000);
    expect(dayOf(new Date(2027, 2, 5))).toBe('2027-03-05');
  });
  it('is over from that moment on', () => {
    expect([isOver(10, 9), isOver(10, 10), isOver(null, 10)]).toEqual([false, true, false]);
  });
});
