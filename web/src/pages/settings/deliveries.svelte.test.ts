import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { json, serve } from '../../api/testing';
import { Deliveries } from './deliveries.svelte';

const page = (state: string, after: string | null = null, id = '1') =>
  json({ deliveries: [{ id, state, kind: 'ping' }], after });

describe('deliveries of a webhook', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('are looked at again until nothing is waiting', async () => {
    const asked = serve((_, count) => page(count < 3 ? 'waiting' : 'sent'));
    const all = new Deliveries('h');
    await all.list();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked).toHaveLength(3);
    expect(all.found?.[0]?.state).toBe('sent');
  });

  it('are not looked at any more once nobody is there', async () => {
    const asked = serve(() => page('waiting'));
    const all = new Deliveries('h');
    await all.list();
    all.stop();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked).toHaveLength(1);
  });

  it('go on with the page before', async () => {
    const asked = serve((_, count) => (count === 1 ? page('sent', 'x') : page('failed', null, '2')));
    const all = new Deliveries('h');
    await all.list();
    await all.more();
    expect(asked[1]?.url).toContain('after=x');
    expect(all.found?.map((one) => one.id)).toEqual(['1', '2']);
    expect(all.hasMore).toBe(false);
  });
});
