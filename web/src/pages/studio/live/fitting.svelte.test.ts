import { beforeEach, expect, test, vi } from 'vitest';
import { json, problem, serve } from '../../../api/testing';
import { line as sample } from '../state/sample';
import { Fitting } from './fitting.svelte';
import type { Shown } from './shown';

beforeEach(() => vi.useFakeTimers());

function shown(more: Partial<Shown> = {}): Shown {
  const one = sample('A', 0, {
    text: 'x'.repeat(14),
    timing: { start: 0, end: 1, rate: 1, stretch: 1, flags: [] },
  });
  const sound = { start: 0, end: 1.2, rate: 1.02, stretch: 1, flags: [] };
  const beside = { number: 1, sound, isDirty: false, isKnown: true, isLocked: false, refusal: undefined };
  return { ...one, stale: false, ...beside, ...more };
}
const fit = { text: '', start: 0, end: 1.8, rate: 1.1, flags: [{ flag: 'too_long', reason: '' }] };

test('a line that is heard says how it is heard, before anybody is asked', async () => {
  serve(() => json({ fit }));
  const fitting = new Fitting('job');
  fitting.foresee(shown(), 'x'.repeat(14), [shown()]);
  expect(fitting.fit).toMatchObject({ seconds: 1.2, rate: 1.02, word: 'good', isGuess: false });
  expect(fitting.isAsking).toBe(true);
  await vi.runAllTimersAsync();
  expect(fitting.fit).toMatchObject({ seconds: 1.8, word: 'too_long' });
  expect(fitting.isAsking).toBe(false);
});

test('while somebody types what was known stays, and nothing is guessed', async () => {
  serve(() => json({ fit }));
  const fitting = new Fitting('job');
  fitting.foresee(shown(), 'x'.repeat(14), [shown()]);
  fitting.foresee(shown({ text: 'x'.repeat(40), stale: true, isDirty: true }), 'x'.repeat(40), [shown()]);
  expect(fitting.fit).toMatchObject({ seconds: 1.2, isGuess: false });
  await vi.runAllTimersAsync();
  expect(fitting.fit).toMatchObject({ seconds: 1.8, isGuess: false });
});

test('what the server cannot tell is guessed', async () => {
  serve(() => problem(409, 'conflict'));
  const fitting = new Fitting('job');
  fitting.foresee(shown({ text: 'x'.repeat(28), stale: true }), 'x'.repeat(28), [shown()]);
  expect(fitting.fit).toBeNull();
  await vi.runAllTimersAsync();
  expect(fitting.fit).toMatchObject({ seconds: 2, isGuess: true });
  fitting.foresee(shown({ id: 'B', isKnown: false, text: 'x'.repeat(7), stale: true }), 'x'.repeat(7), [
    shown(),
  ]);
  expect(fitting.fit).toMatchObject({ seconds: 0.5, isGuess: true });
});
