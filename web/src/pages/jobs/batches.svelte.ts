// Names and sums of batches, and all jobs of those that are looked into.
import { SvelteMap } from 'svelte/reactivity';
import { api, isAborted, jobsLive, type JobRow } from '../../api';
import { toast } from '../../design';
import { isNewer } from '../../api/live.svelte';
import type { Batch } from './grouping';

/** Milliseconds between two looks while jobs of batches change. */
const EVERY = 1500;

export interface Batches {
  readonly all: readonly Batch[];
  get: (id: string) => Batch | undefined;
  /** All jobs of a batch that was looked into, as they are now; those given are known besides. */
  jobs: (id: string, known: readonly JobRow[]) => JobRow[];
  /** Get all its jobs. */
  open: (id: string) => Promise<void>;
}

export function batches(used: () => readonly string[]): Batches {
  const known = new SvelteMap<string, Batch>();
  const inside = new SvelteMap<string, readonly JobRow[]>();
  const stop = new AbortController();
  let last = 0;

  /** Changes with every change of a job that belongs to a batch. */
  const mark = $derived(
    jobsLive.jobs.reduce((sum, job) => (job.batch ? sum + job.events + job.updated : sum), 0),
  );
  const wanted = $derived([...used()].sort().join(' '));

  async function look(ids: string[]): Promise<void> {
    last = Date.now();
    try {
      const { batches: found } = await api.get('/api/v1/batches', {
        query: { limit: 200 },
        signal: stop.signal,
      });
      for (const one of found) known.set(one.id, one);
      for (const id of ids) {
        if (known.has(id)) continue;
        keep(await api.get('/api/v1/batches/{batch}', { path: { batch: id }, signal: stop.signal }));
      }
    } catch (thrown) {
      // The list is whole without the sums: a batch is then named by its number, and asked for again.
      if (!isAborted(thrown)) last = 0;
    }
  }
  function keep({ jobs, ...batch }: Batch & { jobs: readonly JobRow[] }): void {
    known.set(batch.id, batch);
    inside.set(batch.id, jobs);
  }

  $effect(() => {
    void mark;
    if (!wanted) return;
    const ids = wanted.split(' ');
    const timer = setTimeout(() => void look(ids), Math.max(0, EVERY - (Date.now() - last)));
    return () => clearTimeout(timer);
  });
  $effect(() => () => stop.abort());

  return {
    get all() {
      return [...known.values()].sort((a, b) => b.created - a.created);
    },
    get: (id) => known.get(id),
    jobs: (id, also) => {
      const found = new Map<string, JobRow>();
      for (const job of [...(inside.get(id) ?? []), ...also]) {
        const live = jobsLive.get(job.id);
        const newest = live && isNewer(live, job) ? live : job;
        if (!jobsLive.isGone(job.id) && isNewer(newest, found.get(job.id))) found.set(job.id, newest);
      }
      return [...found.values()];
    },
    open: async (id) => {
      try {
        keep(await api.get('/api/v1/batches/{batch}', { path: { batch: id }, signal: stop.signal }));
      } catch (thrown) {
        if (!isAborted(thrown)) toast.problem(thrown);
      }
    },
  };
}
