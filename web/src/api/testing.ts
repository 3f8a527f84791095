// A server of our own making for tests: answers in turn, and keeps what it was asked.
import { vi } from 'vitest';

export interface Asked {
  url: string;
  init: RequestInit;
}

/** Answer `fetch` with what `answer` makes of each request; the list of what was asked. */
export function serve(answer: (asked: Asked, count: number) => Response | Promise<Response>): Asked[] {
  const all: Asked[] = [];
  vi.stubGlobal('fetch', async (url: string, init: RequestInit = {}) => {
    all.push({ url, init });
    return answer({ url, init }, all.length);
  });
  return all;
}

export const json = (body: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } });

export const problem = (
  status: number,
  code: string,
  title = 'No.',
  headers: Record<string, string> = {},
): Response =>
  new Response(
    JSON.stringify({ status, code, title, hint: 'Do this.', request_id: 'r1', type: 'about:blank' }),
    {
      status,
      headers: { 'Content-Type': 'application/problem+json', ...headers },
    },
  );
