import { expect, it } from 'vitest';
import { amount, typed } from './limits';

it('a limit is a number that is not below the least; empty is what the server says', () => {
  expect(['', ' 12,5 ', '0', '-1', 'x', '1e9'].map((text) => amount(text))).toEqual([
    null,
    12.5,
    0,
    undefined,
    undefined,
    undefined,
  ]);
  expect(['0', '2', '2.5'].map((text) => amount(text, { whole: true, least: 1 }))).toEqual([
    undefined,
    2,
    undefined,
  ]);
  expect([null, undefined, 0, 12.5].map(typed)).toEqual(['', '', '0', '12.5']);
});
