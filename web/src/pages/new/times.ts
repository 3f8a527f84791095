// Places in a programme as people type them.

/** Seconds of `75`, `1:15`, `1:01:05.5` or `1:01:05,5`; null for nothing, undefined for what is no time. */
export function parseTime(text: string): number | null | undefined {
  const said = text.trim().replace(',', '.');
  if (!said) return null;
  if (!/^(\d+:){0,2}\d+(\.\d+)?$/.test(said)) return undefined;
  const parts = said.split(':').map(Number);
  if (parts.slice(1).some((part) => part >= 60)) return undefined;
  return parts.reduce((sum, part) => sum * 60 + part, 0);
}

export interface Range {
  /** Seconds; null: from the beginning. */
  start: number | null;
  /** Seconds; null: to the end. */
  end: number | null;
}
/** Seconds that a range has at least. */
const LEAST = 1;

const tenth = (seconds: number): number => Math.round(seconds * 10) / 10;

/** The range with one of its ends moved, within the programme and its other end. */
export function moved(range: Range, which: 'start' | 'end', to: number, whole: number): Range {
  const least = Math.min(LEAST, whole);
  if (which === 'start') {
    const start = tenth(Math.max(0, Math.min(to, (range.end ?? whole) - least)));
    return { ...range, start: start <= 0 ? null : start };
  }
  const end = tenth(Math.min(whole, Math.max(to, (range.start ?? 0) + least)));
  return { ...range, end: end >= tenth(whole) ? null : end };
}

/** Where a key moves a handle to; null for other keys. Seconds. */
export function stepped(key: string, at: number, whole: number, isFar: boolean): number | null {
  const step = isFar ? Math.max(10, whole / 50) : whole > 600 ? 1 : 0.5;
  if (key === 'ArrowRight' || key === 'ArrowUp') return at + step;
  if (key === 'ArrowLeft' || key === 'ArrowDown') return at - step;
  if (key === 'PageUp') return at + Math.max(10, whole / 20);
  if (key === 'PageDown') return at - Math.max(10, whole / 20);
  if (key === 'Home') return 0;
  if (key === 'End') return whole;
  return null;
}

/** Which of so many pictures to show in so few places: evenly spread. */
export function picked(count: number, places: number): number[] {
  const shown = Math.min(count, Math.max(1, places));
  return Array.from({ length: shown }, (_, index) =>
    Math.min(count - 1, Math.floor(((index + 0.5) * count) / shown)),
  );
}

interface Done {
  state: string;
  started: number | null;
  finished: number | null;
  seconds: number | null;
}
/** Seconds of work a second of programme took here lately; null before three dubs are done. */
export function pace(jobs: readonly Done[]): number | null {
  const took = jobs
    .filter((job) => job.state === 'completed' && job.started && job.finished && job.seconds)
    .slice(0, 15)
    .map((job) => (job.finished! - job.started!) / job.seconds!)
    .sort((a, b) => a - b);
  return took.length < 3 ? null : took[Math.floor(took.length / 2)]!;
}
