// Dubs by a filter: asked of the server, which knows all, and kept true by the stream of what changes.
import { api, isAborted, jobsLive, problemOf, type ApiProblem, type JobRow } from '../../api';
import { isNewer } from '../../api/live.svelte';
import { askOf, byAge, isEmpty, matches, type Filter } from './filter';

const PAGE = 100;

export interface Found {
  readonly jobs: readonly JobRow[];
  /** Whether the server has answered. */
  readonly isReady: boolean;
  readonly hasMore: boolean;
  readonly isLoadingMore: boolean;
  readonly problem: ApiProblem | undefined;
  more: () => Promise<void>;
  retry: () => void;
}

/** What a page of the server and what is known live make together; `end` says whether the pages go on. */
export function together(
  rows: readonly JobRow[],
  live: readonly JobRow[],
  filter: Filter,
  end: { hasMore: boolean; isGone: (id: string) => boolean },
): JobRow[] {
  const known = new Map(rows.map((row) => [row.id, row]));
  for (const job of live) if (isNewer(job, known.get(job.id))) known.set(job.id, job);
  const oldest = end.hasMore ? (rows.at(-1)?.created ?? -Infinity) : -Infinity;
  return [...known.values()]
    .filter((job) => job.created >= oldest && matches(job, filter) && !end.isGone(job.id))
    .sort(byAge);
}

/** Dubs by a filter while a component lives. Without one it is the live list itself. */
export function finding(which: () => Filter): Found {
  let rows = $state.raw<readonly JobRow[]>([]);
  let after = $state.raw<string | null>(null);
  let isReady = $state(false);
  let isLoadingMore = $state(false);
  let problem = $state.raw<ApiProblem>();
  let round = $state(0);
  const asked = $derived(JSON.stringify(which()));
  let asking = new AbortController();

  $effect(() => {
    void [round, jobsLive.listings];
    const filter = JSON.parse(asked) as Filter;
    const stop = (asking = new AbortController());
    isLoadingMore = false;
    problem = undefined;
    if (isEmpty(filter) || !jobsLive.isReady) return;
    isReady = false;
    const query = { ...askOf(filter), limit: PAGE };
    api.get('/api/v1/jobs', { query, signal: stop.signal }).then(
      (page) => {
        if (stop.signal.aborted) return;
        rows = page.jobs;
        after = page.after;
        isReady = true;
      },
      (thrown: unknown) => {
        if (!stop.signal.aborted && !isAborted(thrown)) problem = problemOf(thrown);
      },
    );
    return () => stop.abort();
  });

  async function more(): Promise<void> {
    if (isEmpty(which())) return jobsLive.more();
    if (!after || isLoadingMore) return;
    isLoadingMore = true;
    const { signal } = asking;
    try {
      const query = { ...askOf(which()), limit: PAGE, after };
      const page = await api.get('/api/v1/jobs', { query, signal });
      if (signal.aborted) return;
      rows = [...rows, ...page.jobs];
      after = page.after;
    } finally {
      if (!signal.aborted) isLoadingMore = false;
    }
  }

  const jobs = $derived.by(() => {
    const filter = JSON.parse(asked) as Filter;
    if (isEmpty(filter)) return jobsLive.jobs;
    const end = { hasMore: isReady && after !== null, isGone: (id: string) => jobsLive.isGone(id) };
    return together(isReady ? rows : [], jobsLive.jobs, filter, end);
  });

  return {
    get jobs() {
      return jobs;
    },
    get isReady() {
      return isEmpty(which()) ? jobsLive.isReady : isReady;
    },
    get hasMore() {
      return isEmpty(which()) ? jobsLive.hasMore : isReady && after !== null;
    },
    get isLoadingMore() {
      return isEmpty(which()) ? jobsLive.isLoadingMore : isLoadingMore;
    },
    get problem() {
      return jobsLive.isReady ? problem : jobsLive.problem;
    },
    more,
    retry: () => (jobsLive.isReady ? (round += 1) : jobsLive.start()),
  };
}
