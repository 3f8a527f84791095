import { describe, expect, it } from 'vitest';
import { moved, pace, parseTime, picked, stepped } from './times';

describe('a time', () => {
  it.each([
    ['75', 75],
    ['1:15', 75],
    ['1:01:05.5', 3665.5],
    ['0:02,5', 2.5],
    ['', null],
    ['1:75', undefined],
    ['soon', undefined],
    ['-3', undefined],
  ])('%s is read as %s', (text, seconds) => {
    expect(parseTime(text)).toBe(seconds);
  });
});

describe('a handle', () => {
  const all = { start: null, end: null };
  it('moves within the programme', () => {
    expect(moved(all, 'start', -4, 60)).toEqual(all);
    expect(moved(all, 'start', 12.34, 60)).toEqual({ start: 12.3, end: null });
    expect(moved(all, 'end', 99, 60)).toEqual(all);
  });
  it('keeps a second from the other one', () => {
    expect(moved({ start: null, end: 20 }, 'start', 50, 60)).toEqual({ start: 19, end: 20 });
    expect(moved({ start: 30, end: null }, 'end', 10, 60)).toEqual({ start: 30, end: 31 });
  });
  it('at the end of the programme means the end, whatever comes after the tenths', () => {
    expect(moved({ start: 1, end: 5 }, 'end', 61.88, 61.88)).toEqual({ start: 1, end: null });
  });
  it('is moved by keys: a little, far, and to the ends', () => {
    expect(stepped('ArrowRight', 10, 60, false)).toBe(10.5);
    expect(stepped('ArrowLeft', 10, 3600, false)).toBe(9);
    expect(stepped('ArrowUp', 10, 60, true)).toBe(20);
    expect(stepped('PageDown', 1000, 3600, false)).toBe(820);
    expect([stepped('Home', 5, 60, false), stepped('End', 5, 60, false)]).toEqual([0, 60]);
    expect(stepped('Tab', 5, 60, false)).toBeNull();
  });
});

describe('pictures', () => {
  it('are spread evenly over their places', () => {
    expect(picked(50, 5)).toEqual([5, 15, 25, 35, 45]);
    expect(picked(2, 9)).toEqual([0, 1]);
    expect(picked(3, 0)).toEqual([1]);
  });
});

describe('the pace', () => {
  const job = (took: number, state = 'completed') => ({
    state,
    started: 100,
    finished: 100 + took,
    seconds: 10,
  });
  it('is the middle one of what dubs took lately', () => {
    expect(pace([job(5), job(90), job(10), job(1, 'failed')])).toBe(1);
  });
  it('is not known from one or two', () => {
    expect(pace([job(5), job(6)])).toBeNull();
  });
});
