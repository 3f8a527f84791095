import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isNewer, JobsLive } from './live.svelte';
import { json, serve } from './testing';
import type { JobRow } from './types';

const job = (id: string, events = 1, more: Partial<JobRow> = {}): JobRow =>
  ({ id, kind: 'dub', state: 'queued', events, updated: events, created: Number(id), ...more }) as JobRow;
let out: ReadableStreamDefaultController<Uint8Array>;
const tell = (kind: string, data: unknown): void =>
  out.enqueue(new TextEncoder().encode(`event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`));
let live: JobsLive;
let listed: JobRow[];
let release: (() => void) | undefined;

beforeEach(() => {
  vi.useFakeTimers();
  live = new JobsLive();
  listed = [];
  release = undefined;
  serve(async ({ url }) => {
    if (url.startsWith('/api/v1/events')) {
      return new Response(new ReadableStream({ start: (controller) => void (out = controller) }));
    }
    const page = json({ jobs: listed, after: null, total: listed.length });
    if (release) await new Promise<void>((resolve) => (release = resolve));
    return page;
  });
});
afterEach(() => {
  live.stop();
  vi.useRealTimers();
});
const ids = (): string[] => live.jobs.map((one) => one.id);

describe('the list of jobs', () => {
  it('begins with what there is and follows what becomes of it', async () => {
    listed = [job('1'), job('2')];
    live.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(live.isReady).toBe(false);
    tell('jobs', { numbers: {} });
    await vi.advanceTimersByTimeAsync(10);
    expect([live.isReady, ids()]).toEqual([true, ['2', '1']]);
    tell('job', job('3'));
    tell('job', job('1', 4, { state: 'processing' }));
    tell('gone', { id: '2' });
    await vi.advanceTimersByTimeAsync(10);
    expect(ids()).toEqual(['3', '1']);
    expect(live.get('1')?.state).toBe('processing');
    expect(live.isGone('2')).toBe(true);
  });

  it('believes what was told while it was being listed', async () => {
    listed = [job('1'), job('2')];
    release = () => undefined;
    live.start();
    await vi.advanceTimersByTimeAsync(0);
    tell('jobs', { numbers: {} });
    await vi.advanceTimersByTimeAsync(10);
    tell('job', job('1', 9, { state: 'completed' }));
    tell('gone', { id: '2' });
    tell('job', job('3'));
    await vi.advanceTimersByTimeAsync(10);
    release!();
    await vi.advanceTimersByTimeAsync(10);
    expect(ids()).toEqual(['3', '1']);
    expect(live.get('1')?.state).toBe('completed');
  });

  it('forgets after a break what was deleted meanwhile', async () => {
    listed = [job('1'), job('2')];
    live.start();
    await vi.advanceTimersByTimeAsync(0);
    tell('jobs', { numbers: {} });
    await vi.advanceTimersByTimeAsync(10);
    out.close();
    listed = [job('2', 5)];
    await vi.advanceTimersByTimeAsync(5000);
    tell('jobs', { numbers: {} });
    await vi.advanceTimersByTimeAsync(10);
    expect(ids()).toEqual(['2']);
    expect(live.get('2')?.events).toBe(5);
  });

  it('keeps nothing of whoever signed out while older ones were fetched', async () => {
    let answer: (found: Response) => void = () => undefined;
    const page = Array.from({ length: 100 }, (_, index) => job(String(index + 2)));
    const older = new Promise<Response>((resolve) => (answer = resolve));
    serve(({ url }) => {
      if (url.startsWith('/api/v1/events')) return new Response(new ReadableStream());
      if (url.includes('after=')) return older;
      return json({ jobs: page, after: 'there', total: 101 });
    });
    live.start();
    await live.list();
    const fetched = live.more();
    expect([live.hasMore, live.isLoadingMore]).toEqual([true, true]);
    live.stop();
    answer(json({ jobs: [job('1')], after: null, total: 101 }));
    await fetched;
    expect([ids(), live.hasMore, live.isLoadingMore]).toEqual([[], false, false]);
  });

  it('does not bring back what was deleted', async () => {
    live.start();
    await vi.advanceTimersByTimeAsync(0);
    tell('gone', { id: '1' });
    await vi.advanceTimersByTimeAsync(10);
    live.put(job('1', 7));
    expect(ids()).toEqual([]);
  });

  it('never goes back', () => {
    expect(isNewer(job('1', 3), job('1', 4))).toBe(false);
    expect(isNewer(job('1', 4, { updated: 9 }), job('1', 4, { updated: 8 }))).toBe(true);
  });
});
