// Dubs of one batch stand together, where the newest of them stands.
import type { JobRow, JobState, Schemas } from '../../api';

export type Batch = Schemas['BatchShape'];
export type Entry = { kind: 'job'; job: JobRow } | { kind: 'batch'; id: string; jobs: JobRow[] };

export function grouped(jobs: readonly JobRow[]): Entry[] {
  const found: Entry[] = [];
  const batches = new Map<string, JobRow[]>();
  for (const job of jobs) {
    if (!job.batch) {
      found.push({ kind: 'job', job });
      continue;
    }
    const known = batches.get(job.batch);
    if (known) known.push(job);
    else {
      const own = [job];
      batches.set(job.batch, own);
      found.push({ kind: 'batch', id: job.batch, jobs: own });
    }
  }
  return found;
}

export interface Sum {
  total: number;
  counts: Record<JobState, number>;
  /** 0..1, the mean of its jobs. */
  progress: number;
  dollars: number;
}

/** How far a batch is: by its jobs where all are known, else as the server said last. */
export function sumOf(jobs: readonly JobRow[], said: Batch | undefined): Sum {
  const counts: Sum['counts'] = { queued: 0, processing: 0, completed: 0, failed: 0, cancelled: 0 };
  if (said && said.total > jobs.length) {
    return {
      total: said.total,
      counts: { ...counts, ...said.counts },
      progress: said.progress,
      dollars: said.dollars,
    };
  }
  let progress = 0;
  let dollars = 0;
  for (const job of jobs) {
    counts[job.state] += 1;
    progress += job.progress;
    dollars += job.dollars;
  }
  return { total: jobs.length, counts, progress: jobs.length ? progress / jobs.length : 0, dollars };
}
