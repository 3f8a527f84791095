import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { address, api, onSignedOut, setToken } from './client';
import { connection } from './connection.svelte';
import { ApiProblem } from './problem';
import { json, problem, serve } from './testing';

beforeEach(() => {
  vi.useFakeTimers();
  setToken(null);
  connection.here();
});
afterEach(() => void vi.useRealTimers());

describe('the client', () => {
  it('fills in addresses, leaves out what is empty, and repeats lists', () => {
    expect(
      address('/a/{job}/b', { job: 'x/y' }, { state: ['a', 'b'], text: '', after: null, limit: 0 }),
    ).toBe('/a/x%2Fy/b?state=a&state=b&limit=0');
  });

  it('sends the token of a session with changes only', async () => {
    setToken('secret');
    const asked = serve(() => json({ jobs: [], after: null, total: 0 }));
    await api.get('/api/v1/jobs');
    await api.post('/api/v1/auth/logout');
    expect(asked.map(({ init }) => (init.headers as Record<string, string>)['X-CSRF-Token'])).toEqual([
      undefined,
      'secret',
    ]);
  });

  it('makes a problem of a refusal, and tells when nobody is signed in', async () => {
    const out = vi.fn();
    onSignedOut(out);
    serve(() => problem(401, 'unauthenticated', 'Nobody is logged in.'));
    const refused = await api.get('/api/v1/jobs').catch((thrown: unknown) => thrown);
    expect(refused).toBeInstanceOf(ApiProblem);
    expect(refused).toMatchObject({ status: 401, code: 'unauthenticated', hint: 'Do this.', request: 'r1' });
    expect(out).toHaveBeenCalledOnce();
  });

  it('asks again while the server is away, and says so meanwhile', async () => {
    const asked = serve((_, count) => {
      if (count === 1) throw new TypeError('failed to fetch');
      return count === 2
        ? new Response('<html>', { status: 502 })
        : json({ jobs: [], after: null, total: 7 });
    });
    const got = api.get('/api/v1/jobs');
    await vi.advanceTimersByTimeAsync(0);
    expect(connection.isAway).toBe(true);
    await vi.advanceTimersByTimeAsync(10_000);
    expect((await got).total).toBe(7);
    expect([asked.length, connection.isAway]).toEqual([3, false]);
  });

  it('never sends a change twice', async () => {
    const asked = serve(() => {
      throw new TypeError('failed to fetch');
    });
    await expect(api.post('/api/v1/auth/logout')).rejects.toMatchObject({ code: 'away' });
    expect(asked.length).toBe(1);
  });

  it('stops asking when nobody wants the answer', async () => {
    serve(() => {
      throw new TypeError('failed to fetch');
    });
    const stop = new AbortController();
    const got = api.get('/api/v1/jobs', { signal: stop.signal });
    await vi.advanceTimersByTimeAsync(0);
    stop.abort();
    await expect(got).rejects.toMatchObject({ name: 'AbortError' });
  });
});
