import { expect, test } from 'vitest';
import { parsed } from './times';

test.each([
  ['1:23.450', 83.45],
  ['83.45', 83.45],
  ['83,45', 83.45],
  ['1:02:03', 3723],
  [' 0:00.0004 ', 0],
  ['.5', 0.5],
])('%s is a time', (text, seconds) => {
  expect(parsed(text)).toBe(seconds);
});
test.each(['', 'now', '1:75', '-1', '1:2:3:4', '1:', '1.5:20', '1e3'])('%s is none', (text) => {
  expect(parsed(text)).toBeNull();
});
