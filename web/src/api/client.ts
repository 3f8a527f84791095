// The one way to ask the server: typed by its own OpenAPI document.
import { connection, patience } from './connection.svelte';
import { away, isAborted, readProblem } from './problem';
import type { paths } from './schema';
import type { Answer, Method, PathsWith, Wishes } from './types';

/** Codes of a server that is not there for the moment. */
const PASSING = new Set([502, 503, 504]);

/** Where a password is proof: that it was wrong signs nobody out. */
const PROOFS = /\/(auth\/login|privacy)$/;

let token: string | null = null;
let signedOut: () => void = () => undefined;

/** What a session's changes must carry, as `GET /auth/me` says; null where there is none. */
export function setToken(csrf: string | null): void {
  token = csrf;
}

/** What is done when the server says that nobody is logged in. */
export function onSignedOut(act: () => void): void {
  signedOut = act;
}

/** The address of a path with its parts and query filled in. */
export function address(path: string, parts: object = {}, query: object = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String((parts as Record<string, unknown>)[name])),
  );
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== '') asked.append(name, String(one));
    }
  }
  return asked.size ? `${filled}?${asked}` : filled;
}

/** The headers that a change must carry. */
export function guarded(method: string): Record<string, string> {
  return token && !['GET', 'HEAD'].includes(method.toUpperCase()) ? { 'X-CSRF-Token': token } : {};
}

/**
 * Ask the server, and have the raw answer. Throws ApiProblem for what is refused, AbortError when aborted.
 * With GET a server that is away is asked again until it is there.
 */
export async function ask(where: string, init: RequestInit = {}): Promise<Response> {
  const method = (init.method ?? 'GET').toUpperCase();
  const headers = { Accept: 'application/json', ...guarded(method), ...(init.headers as object) };
  const signal = init.signal ?? undefined;
  for (let tries = 0; ; tries++) {
    let wait: number | null = null;
    try {
      const answer = await fetch(where, { ...init, method, headers, credentials: 'same-origin' });
      if (answer.ok || answer.status === 304) {
        connection.here();
        return answer;
      }
      const problem = await readProblem(answer);
      if (!PASSING.has(answer.status)) connection.here();
      // A proxy whose server is away answers without a problem of ours.
      else if (problem.code === 'unknown') connection.lost();
      if (answer.status === 401 && !PROOFS.test(where)) signedOut();
      if (method !== 'GET' || !PASSING.has(answer.status) || (problem.code !== 'unknown' && tries >= 4)) {
        throw problem;
      }
      wait = problem.after === null ? null : problem.after * 1000;
    } catch (thrown) {
      if (!(thrown instanceof TypeError)) throw thrown;
      connection.lost();
      if (method !== 'GET') throw away();
    }
    await connection.pause(wait ?? patience(tries), signal);
  }
}

async function call<P extends keyof paths, M extends Method>(
  method: M,
  path: P,
  wishes: Record<string, unknown>,
): Promise<Answer<P, M>> {
  const { path: parts, query, body, headers, signal } = wishes;
  const answer = await ask(address(path, parts as object, query as object), {
    method,
    signal: signal as AbortSignal,
    headers: {
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(headers as object),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const isJson = (answer.headers.get('Content-Type') ?? '').includes('json');
  return (answer.status !== 204 && isJson ? await answer.json() : undefined) as Answer<P, M>;
}

type Needed<W> = Partial<W> extends W ? [wishes?: W] : [wishes: W];
type Verb<M extends Method> = <P extends PathsWith<M>>(
  path: P,
  ...wishes: Needed<Wishes<P, M>>
) => Promise<Answer<P, M>>;

function verb<M extends Method>(method: M): Verb<M> {
  return (path, ...wishes) => call(method, path, (wishes[0] ?? {}) as Record<string, unknown>);
}

/** `api.get('/api/v1/jobs/{job}', { path: { job } })` and its like, with types for what is sent and answered. */
export const api = {
  get: verb('get'),
  post: verb('post'),
  put: verb('put'),
  patch: verb('patch'),
  delete: verb('delete'),
};
export { isAborted };
