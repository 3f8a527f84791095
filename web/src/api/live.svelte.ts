// Jobs as they stand, always: the list of all one's own, and one job with its events.
import { untrack } from 'svelte';
import { SvelteMap, SvelteSet } from 'svelte/reactivity';
import { api } from './client';
import { follow } from './events';
import { isAborted, problemOf, type ApiProblem } from './problem';
import type { Job, JobEvent, JobRow } from './types';

const PAGE = 100;

/** Whether `next` is not older than what is known. */
export function isNewer(next: JobRow, known: JobRow | undefined): boolean {
  return (
    !known || next.events > known.events || (next.events === known.events && next.updated >= known.updated)
  );
}

/** All jobs of whoever is signed in, newest first. The shell starts it; pages only read. */
export class JobsLive {
  #jobs = new SvelteMap<string, JobRow>();
  #gone = new SvelteSet<string>();
  #changed = new Set<string>();
  #listed = 0;
  #after: string | null = null;
  #end: (() => void) | undefined;
  #listing: AbortController | undefined;
  /** Whether the list is there. */
  isReady = $state(false);
  isLoadingMore = $state(false);
  /** Why it could not be listed. */
  problem = $state.raw<ApiProblem>();
  hasMore = $state(false);
  /** Counts listings: after each, what was asked for besides may be old. */
  listings = $state(0);

  /** Dubs that are known, newest first. */
  readonly jobs = $derived(
    [...this.#jobs.values()]
      .filter((job) => job.kind === 'dub')
      .sort((a, b) => b.created - a.created || (a.id < b.id ? 1 : -1)),
  );
  readonly running = $derived(
    this.jobs.filter((job) => job.state === 'processing' || job.state === 'queued'),
  );

  get(id: string): JobRow | undefined {
    return this.#jobs.get(id);
  }
  isGone(id: string): boolean {
    return this.#gone.has(id);
  }

  /** Put in what a change has answered, before the stream tells it. */
  put(job: JobRow): void {
    if (this.#gone.has(job.id)) return;
    if (isNewer(job, this.#jobs.get(job.id))) this.#jobs.set(job.id, job);
    this.#changed.add(job.id);
  }

  start(): void {
    this.stop();
    this.#end = follow('/api/v1/events', {
      onEvent: ({ kind, data }) => {
        if (kind === 'jobs') void this.list();
        else if (kind === 'job') this.put(data as JobRow);
        else if (kind === 'gone') this.#drop((data as { id: string }).id);
      },
      onProblem: (problem) => (this.problem = problem),
    });
  }

  stop(): void {
    this.#end?.();
    this.#listing?.abort();
    this.#jobs.clear();
    this.#gone.clear();
    this.#listed = 0;
    this.#after = null;
    this.hasMore = this.isLoadingMore = false;
    this.isReady = false;
    this.problem = undefined;
  }

  /** The list anew, as far as it was known: the stream has begun, so what changes from now on is told. */
  async list(): Promise<void> {
    this.#listing?.abort();
    const { signal } = (this.#listing = new AbortController());
    this.isLoadingMore = false;
    this.#changed.clear();
    this.#gone.clear();
    const wanted = Math.max(PAGE, this.#listed);
    const found: JobRow[] = [];
    let after: string | null = null;
    try {
      do {
        const query: { limit: number; after?: string } = { limit: PAGE };
        if (after) query.after = after;
        const page = await api.get('/api/v1/jobs', { query, signal });
        found.push(...page.jobs);
        after = page.after;
      } while (after && found.length < wanted);
    } catch (thrown) {
      if (!isAborted(thrown)) this.problem = problemOf(thrown);
      return;
    }
    const here = new Set(found.map((job) => job.id));
    for (const id of [...this.#jobs.keys()]) {
      if (!here.has(id) && !this.#changed.has(id)) this.#jobs.delete(id);
    }
    for (const job of found)
      if (!this.#gone.has(job.id) && isNewer(job, this.get(job.id))) this.#jobs.set(job.id, job);
    this.#listed = found.length;
    this.#after = after;
    this.hasMore = after !== null;
    this.problem = undefined;
    this.isReady = true;
    this.listings += 1;
  }

  /** The next page of older jobs. */
  async more(): Promise<void> {
    if (!this.#after || this.isLoadingMore) return;
    this.isLoadingMore = true;
    // A list that begins anew has them itself; and one of whoever is signed in next must not.
    const signal = this.#listing?.signal;
    try {
      const query = { limit: PAGE, after: this.#after };
      const page = await api.get('/api/v1/jobs', { query, ...(signal ? { signal } : {}) });
      if (signal?.aborted) return;
      for (const job of page.jobs) this.put(job);
      this.#listed += page.jobs.length;
      this.#after = page.after;
      this.hasMore = page.after !== null;
    } catch (thrown) {
      if (!isAborted(thrown)) throw thrown;
    } finally {
      if (!signal?.aborted) this.isLoadingMore = false;
    }
  }

  #drop(id: string): void {
    this.#jobs.delete(id);
    this.#gone.add(id);
  }
}

export const jobsLive = new JobsLive();

export interface JobLive {
  /** With everything of it; undefined until it is there. */
  readonly job: Job | undefined;
  /** All its events from the first on, in order. */
  readonly events: readonly JobEvent[];
  readonly problem: ApiProblem | undefined;
  /** Whether it was deleted. */
  readonly isGone: boolean;
  /** Ask for it anew, such as after a change. */
  refresh: () => void;
  /** Put in what a change has answered. */
  put: (job: Job) => void;
}

/** A job and its events while a component lives: `const live = jobLive(() => params.job)`. */
export function jobLive(which: () => string): JobLive {
  let job = $state.raw<Job>();
  let events = $state.raw<readonly JobEvent[]>([]);
  let problem = $state.raw<ApiProblem>();
  let isGone = $state(false);

  let look: () => void = () => undefined;

  $effect(() => {
    const id = which();
    const stop = new AbortController();
    let isAsking = false;
    let isDue = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let told: JobEvent[] = [];
    job = undefined;
    events = [];
    problem = undefined;
    isGone = false;

    async function ask(): Promise<void> {
      timer = undefined;
      isAsking = true;
      isDue = false;
      try {
        const got = await api.get('/api/v1/jobs/{job}', { path: { job: id }, signal: stop.signal });
        if (stop.signal.aborted) return;
        if (isNewer(got, job)) job = got;
        problem = undefined;
      } catch (thrown) {
        if (stop.signal.aborted || isAborted(thrown)) return;
        problem = problemOf(thrown);
      } finally {
        isAsking = false;
        if (isDue && !stop.signal.aborted) look();
      }
    }
    /** What happens comes in bunches: one look for all of it. */
    look = () => {
      isDue = true;
      if (!isAsking) timer ??= setTimeout(() => void ask(), 250);
    };
    void ask();

    const end = follow(`/api/v1/jobs/${id}/events?follow=true`, {
      onEvent: ({ kind, data }) => {
        if (kind === 'gone') isGone = true;
        else if (kind !== 'end') {
          if (!told.length) {
            queueMicrotask(() => {
              if (stop.signal.aborted) return;
              events = [...events, ...told];
              told = [];
            });
          }
          told.push(data as JobEvent);
          look();
        }
      },
      onProblem: (refused) => (problem ??= refused),
    });
    return () => {
      end();
      stop.abort();
      clearTimeout(timer);
    };
  });

  /** The list's stream knows changes that are no events, such as being moved on in the queue. */
  const row = $derived(jobsLive.get(which()));
  $effect(() => {
    const updated = row?.updated ?? 0;
    untrack(() => {
      if (job && job.updated < updated) look();
    });
  });

  return {
    get job() {
      return job;
    },
    get events() {
      return events;
    },
    get problem() {
      return problem;
    },
    get isGone() {
      return isGone || jobsLive.isGone(which());
    },
    refresh: () => look(),
    put: (changed: Job) => {
      if (isNewer(changed, job)) job = changed;
    },
  };
}
