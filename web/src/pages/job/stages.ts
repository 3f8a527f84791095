// The stages of an attempt on a time axis.
import type { JobEvent, Schemas } from '../../api';

export type Attempt = Schemas['StagesShape'];
export type Stage = Schemas['StageShape'];

export interface Bar {
  /** 0..1 of the axis. */
  start: number;
  length: number;
  isRunning: boolean;
  isWhole: boolean;
}
export interface Track {
  stage: Stage;
  bars: Bar[];
  /** Seconds that it ran, up to now. */
  took: number;
  isRunning: boolean;
}
export interface Picture {
  /** Seconds of the whole axis. */
  seconds: number;
  tracks: Track[];
  /** Most stages that ran at the same time. */
  together: number;
}

/** Where each stage is on an axis that ends now, or with the attempt. `now`: seconds since 1970. */
export function picture(attempt: Attempt, now: number): Picture {
  const begin = attempt.start ?? now;
  const end = attempt.end ?? Math.max(now, begin + 1);
  const seconds = Math.max(0.1, end - begin);
  const tracks = attempt.stages.map((stage) => {
    let took = 0;
    const bars = stage.runs.map((run) => {
      const until = Math.max(run.start, run.end ?? end);
      took += until - run.start;
      return {
        start: Math.max(0, run.start - begin) / seconds,
        length: (until - run.start) / seconds,
        isRunning: run.end === null,
        isWhole: run.whole,
      };
    });
    return { stage, bars, took: stage.took ?? took, isRunning: bars.some((bar) => bar.isRunning) };
  });
  return { seconds, tracks, together: together(tracks.flatMap((track) => track.bars)) };
}

function together(bars: readonly Bar[]): number {
  const edges = bars
    .flatMap((bar) => [
      [bar.start, 1],
      [bar.start + bar.length, -1],
    ])
    .sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!);
  let count = 0;
  let most = 0;
  for (const [, change] of edges) most = Math.max(most, (count += change!));
  return most;
}

/** Sums over all stages. */
export function sums(attempt: Attempt): { made: number; kept: number; dollars: number } {
  return attempt.stages.reduce(
    (sum, one) => ({
      made: sum.made + one.made,
      kept: sum.kept + one.kept,
      dollars: sum.dollars + one.dollars,
    }),
    { made: 0, kept: 0, dollars: 0 },
  );
}

/** Stages that have begun in the newest attempt and not ended, in the order in which they began. */
export function underWay(events: readonly JobEvent[]): string[] {
  const found = new Set<string>();
  for (const { kind, stage } of events) {
    if (kind === 'job.started') found.clear();
    else if (kind === 'stage.started') found.add(stage);
    else if (kind === 'stage.finished') found.delete(stage);
  }
  return [...found];
}

/** What a stage that runs now said of itself last; empty where none did. */
export function saidLast(events: readonly JobEvent[]): string {
  const running = new Set(underWay(events));
  for (const { kind, stage, message } of [...events].reverse()) {
    if (kind === 'job.started') break;
    if (kind === 'stage.progress' && running.has(stage) && message) return message;
  }
  return '';
}
