import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connection } from './connection.svelte';
import { follow, Parser, SILENCE, type Told } from './events';
import { problem, serve } from './testing';

const stream = (...pieces: string[]): Response => {
  const body = new ReadableStream({
    start(out) {
      for (const piece of pieces) out.enqueue(new TextEncoder().encode(piece));
      out.close();
    },
  });
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
};
const silent = (signal: AbortSignal): Response =>
  new Response(
    new ReadableStream({ start: (out) => signal.addEventListener('abort', () => out.error(signal.reason)) }),
  );
const event = (number: number): string => `id: ${number}\ndata: {"number": ${number}}\n\n`;
let end: () => void = () => undefined;

beforeEach(() => {
  vi.useFakeTimers();
  connection.here();
});
afterEach(() => {
  end();
  vi.useRealTimers();
});

describe('a stream', () => {
  it('is cut into events wherever the network cut it', () => {
    const text = `retry: 2000\r\n\r\n: still here\n\nevent: job\nid: 7\ndata: {"a":\ndata: 1}\n\n${event(8)}`;
    for (let size = 1; size < 40; size++) {
      const parser = new Parser();
      const all: Told[] = [];
      for (let at = 0; at < text.length; at += size) all.push(...parser.feed(text.slice(at, at + size)));
      expect(all).toEqual([
        { number: 7, kind: 'job', data: { a: 1 } },
        { number: 8, kind: 'message', data: { number: 8 } },
      ]);
      expect(parser.retry).toBe(2000);
    }
  });

  it('goes on after a break where it was, with nothing lost and nothing twice', async () => {
    const seen: (number | null)[] = [];
    const asked = serve(({ init }, count) => {
      if (count === 1) return stream(event(1), event(2));
      if (count === 2) throw new TypeError('network');
      if (count === 3) return stream(event(2), event(3), event(5)); // doubled, and with a hole
      if (count === 4) return stream(event(4), event(5));
      return silent(init.signal!);
    });
    end = follow('/events', { onEvent: ({ number }) => seen.push(number) });
    await vi.advanceTimersByTimeAsync(30_000);
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    const sent = asked.map(({ init }) => (init.headers as Record<string, string>)['Last-Event-ID']);
    expect(sent).toEqual([undefined, '2', '2', '3', '5']);
  });

  it('is taken for dead when it says nothing for too long', async () => {
    const asked = serve(({ init }) => silent(init.signal!));
    end = follow('/events', { onEvent: () => undefined });
    await vi.advanceTimersByTimeAsync(SILENCE - 1000);
    expect(asked.length).toBe(1);
    await vi.advanceTimersByTimeAsync(3000);
    expect(asked.length).toBe(2);
  });

  it('ends for good when it is refused, and when nobody follows it', async () => {
    const refused = vi.fn();
    const asked = serve(() => problem(404, 'not_found'));
    end = follow('/events', { onEvent: () => undefined, onProblem: refused });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked.length).toBe(1);
    expect(refused).toHaveBeenCalledOnce();
    const more = serve(({ init }) => silent(init.signal!));
    follow('/events', { onEvent: () => undefined })();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(more.length).toBeLessThanOrEqual(1);
  });
});
