import { describe, expect, it } from 'vitest';
import type { Schemas } from '../../api';
import { json, problem, serve } from '../../api/testing';
import { Statements } from './statements.svelte';

const some = (from: number, count: number): { id: string }[] =>
  Array.from({ length: count }, (_, index) => ({ id: String(from + index) }));

describe('statements of consent', () => {
  it('go on after the last one of a page', async () => {
    const asked = serve((_, count) => json({ consents: count === 1 ? some(0, 50) : some(50, 3) }));
    const all = new Statements();
    await all.list();
    expect(all.hasMore).toBe(true);
    await all.more();
    expect(asked[1]!.url).toContain('after=49');
    expect(all.found).toHaveLength(53);
    expect(all.hasMore).toBe(false);
  });

  it('take what is new to the front, and what was changed in its place', async () => {
    serve(() => json({ consents: some(0, 2) }));
    const all = new Statements();
    await all.list();
    all.put({ id: '9' } as Schemas['ConsentShape']);
    all.put({ id: '1', who: 'Jane' } as Schemas['ConsentShape']);
    expect(all.found?.map((one) => [one.id, one.who])).toEqual([
      ['9', undefined],
      ['0', undefined],
      ['1', 'Jane'],
    ]);
  });

  it('say why they are not there', async () => {
    serve(() => problem(403, 'forbidden'));
    const all = new Statements();
    await all.list();
    expect(all.problem?.code).toBe('forbidden');
    expect(all.found).toBeUndefined();
  });
});
