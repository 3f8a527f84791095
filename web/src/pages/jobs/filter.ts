// What of all dubs is shown. It stands in the address, so that a link or a reload shows the same.
import type { JobRow, JobState } from '../../api';

export const STATES = ['running', 'completed', 'failed', 'cancelled'] as const;
export type StateFilter = (typeof STATES)[number];
export interface Filter {
  state: StateFilter | '';
  /** Tag of the language dubbed into. */
  language: string;
  /** Part of the title. */
  text: string;
  /** Id of a batch. */
  batch: string;
}

const MEANT: Record<StateFilter, JobState[]> = {
  running: ['queued', 'processing'],
  completed: ['completed'],
  failed: ['failed'],
  cancelled: ['cancelled'],
};
const ID = /^[0-9a-f]{32}$/;

/** The filter that a query says; what it cannot mean is left out. */
export function readFilter(query: URLSearchParams): Filter {
  const state = query.get('state') as StateFilter | null;
  const batch = query.get('batch') ?? '';
  return {
    state: state && STATES.includes(state) ? state : '',
    language: (query.get('language') ?? '').slice(0, 40),
    text: (query.get('text') ?? '').slice(0, 100),
    batch: ID.test(batch) ? batch : '',
  };
}

export const isEmpty = (filter: Filter): boolean =>
  !filter.state && !filter.language && !filter.text.trim() && !filter.batch;

/** The same question for the server. */
export function askOf(filter: Filter): {
  state?: JobState[];
  target?: string;
  text?: string;
  batch?: string;
} {
  return {
    ...(filter.state ? { state: MEANT[filter.state] } : {}),
    ...(filter.language ? { target: filter.language } : {}),
    ...(filter.text.trim() ? { text: filter.text.trim() } : {}),
    ...(filter.batch ? { batch: filter.batch } : {}),
  };
}

/** Whether a job is among them, for jobs that change while they are looked at. */
export function matches(job: JobRow, filter: Filter): boolean {
  return (
    (!filter.state || MEANT[filter.state].includes(job.state)) &&
    (!filter.language || job.target === filter.language) &&
    (!filter.batch || job.batch === filter.batch) &&
    job.title.toLowerCase().includes(filter.text.trim().toLowerCase())
  );
}

/** Newest first, as the server lists them. */
export const byAge = (a: JobRow, b: JobRow): number => b.created - a.created || (a.id < b.id ? 1 : -1);
