// What goes wrong, in one kind of error: what the server refuses, and a server that is away.
import type { Schemas } from './types';

/** A refusal (`application/problem+json`). `message` and `hint` are sentences for people, in English. */
export class ApiProblem extends Error {
  override name = 'ApiProblem';
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint = '',
    /** What the server's log calls the request. */
    readonly request = '',
    /** Seconds to wait before asking again, where the server says so. */
    readonly after: number | null = null,
    /** What is wrong in the request, field by field. */
    readonly fields: Schemas['Problem']['errors'] = undefined,
  ) {
    super(message);
  }

  /** Whether asking again later may help without any change. */
  get isPassing(): boolean {
    return this.code === 'away' || [429, 502, 503, 504].includes(this.status);
  }
}

/** A server that does not answer. */
export const away = (): ApiProblem => new ApiProblem(0, 'away', 'The server does not answer.');

/** Anything that was thrown, as a problem. */
export function problemOf(thrown: unknown): ApiProblem {
  if (thrown instanceof ApiProblem) return thrown;
  return new ApiProblem(0, 'page', thrown instanceof Error ? thrown.message : String(thrown));
}

/** Whether a call ended because it was not wanted any more. */
export function isAborted(thrown: unknown): boolean {
  return thrown instanceof Object && 'name' in thrown && thrown.name === 'AbortError';
}

/** The problem that an answer tells. */
export async function readProblem(answer: Response): Promise<ApiProblem> {
  const wait = Number(answer.headers.get('Retry-After') ?? NaN);
  const after = Number.isFinite(wait) ? wait : null;
  const request = answer.headers.get('X-Request-Id') ?? '';
  const text = await answer.text().catch(() => '');
  try {
    const said = JSON.parse(text) as Partial<Schemas['Problem']>;
    return new ApiProblem(
      answer.status,
      said.code ?? 'unknown',
      said.title ?? answer.statusText,
      said.hint ?? '',
      said.request_id ?? request,
      after,
      said.errors,
    );
  } catch {
    return new ApiProblem(
      answer.status,
      'unknown',
      answer.statusText || `Status ${answer.status}`,
      '',
      request,
      after,
    );
  }
}
