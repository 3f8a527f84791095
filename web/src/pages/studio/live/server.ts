// The studio's questions to the server.
import { api } from '../../../api';
import type { Operation } from '../state/operations';
import type { Server } from '../state/saving';
import type { Measured } from '../state/risk';
import { soundsOf, type Sounds } from '../state/shift';

const meant = (revision: number): Record<string, string> => ({ 'If-Match': `"${revision}"` });

export function serverOf(job: string): Server {
  return {
    transcript: () => api.get('/api/v1/jobs/{job}/transcript', { path: { job } }),
    patch: (operations, revision) =>
      api.patch('/api/v1/jobs/{job}/project', {
        path: { job },
        body: { operations } as { operations: Operation[] } as never,
        headers: meant(revision),
      }),
    lock: async (line) => {
      await api.put('/api/v1/jobs/{job}/lines/{line}/lock', { path: { job, line } });
    },
    unlock: async (line) => {
      await api.delete('/api/v1/jobs/{job}/lines/{line}/lock', { path: { job, line } });
    },
  };
}

export const putBack = (job: string, line: string, revision: number): Promise<unknown> =>
  api.post('/api/v1/jobs/{job}/lines/{line}/undo', {
    path: { job, line },
    headers: meant(revision),
  });

export const restore = (job: string, number: number, revision: number): Promise<unknown> =>
  api.post('/api/v1/jobs/{job}/revisions/{number}/restore', {
    path: { job, number },
    headers: meant(revision),
  });

export const regenerate = (job: string, revision: number) =>
  api.post('/api/v1/jobs/{job}/regenerate', { path: { job }, headers: meant(revision) });

/** What the result says of itself: where lines sound, what was wrong with the finished file, where speech is. */
export interface Report {
  sounds: Sounds | null;
  measured: Measured[];
  /** Beginnings and ends of speech in the source, seconds. */
  edges: number[];
}
interface Receipt {
  violations?: { line?: string; kind?: string }[];
  curves?: { source_speech_ms?: [number, number][] };
}

async function json(job: string, kind: string, signal: AbortSignal): Promise<unknown> {
  const answer = await api.get('/api/v1/jobs/{job}/files/{kind}', {
    path: { job, kind },
    signal,
  });
  return answer as unknown;
}

export async function reportOf(job: string, signal: AbortSignal): Promise<Report> {
  const [project, receipt] = await Promise.allSettled([
    json(job, 'project', signal),
    json(job, 'receipt', signal),
  ]);
  const said = (receipt.status === 'fulfilled' ? receipt.value : {}) as Receipt;
  return {
    sounds: project.status === 'fulfilled' ? soundsOf(project.value) : null,
    measured: (said.violations ?? []).flatMap(({ line, kind }) => (line && kind ? [{ line, kind }] : [])),
    edges: (said.curves?.source_speech_ms ?? []).flat().map((moment) => moment / 1000),
  };
}

export interface Peaks {
  values: Float32Array;
  seconds: number;
}
/** A track's waveform, -1..1; waits while it is being made. Null where there is none. */
export async function peaksOf(
  job: string,
  track: 'source' | 'media' | 'dialogue',
  signal: AbortSignal,
): Promise<Peaks | null> {
  for (;;) {
    // What has no waveform, and what nobody wants any more, is drawn without one.
    const answer = await api
      .get('/api/v1/jobs/{job}/peaks', { path: { job }, query: { track, wait: 20 }, signal })
      .catch(() => null);
    if (!answer) return null;
    if ('peaks' in answer) {
      const most = Math.max(1, ...sampled(answer.peaks));
      return { values: Float32Array.from(answer.peaks, (value) => value / most), seconds: answer.seconds };
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
    if (signal.aborted) return null;
  }
}
/** A long list in pieces that fit a call. */
function sampled(values: readonly number[]): number[] {
  const out: number[] = [];
  for (let at = 0; at < values.length; at += 10_000) out.push(Math.max(...values.slice(at, at + 10_000)));
  return out;
}
