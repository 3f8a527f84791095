import { expect, test } from 'vitest';
import { colours, newId } from './names';

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
});
