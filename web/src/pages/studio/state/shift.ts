// Where lines sound: in the dub as it is, and how that moved when it was made again.
import type { Transcript } from './document';

export interface Sound {
  start: number;
  end: number;
  rate: number;
  stretch: number;
  flags: string[];
}
export type Sounds = Readonly<Record<string, Sound>>;

/** Where lines sound, by the project that a dub has written beside itself. */
export function soundsOf(project: unknown): Sounds {
  interface Entry {
    id: string;
    timing?: {
      start_ms: number;
      end_ms: number;
      native_rate: number;
      stretch: number;
      flags: string[];
    } | null;
  }
  const lines = (project as { lines?: Entry[] } | null)?.lines ?? [];
  const out: Record<string, Sound> = {};
  for (const { id, timing } of lines) {
    if (!timing) continue;
    const { start_ms, end_ms, native_rate, stretch, flags } = timing;
    out[id] = { start: start_ms / 1000, end: end_ms / 1000, rate: native_rate, stretch, flags };
  }
  return out;
}
/** The same by a transcript, where there is no such project. */
export function soundsIn(transcript: Transcript): Sounds {
  return Object.fromEntries(
    transcript.lines.flatMap((line) => (line.timing ? [[line.id, line.timing as Sound]] : [])),
  );
}

export interface Shift {
  line: string;
  /** Null: it did not sound before. */
  before: Sound | null;
  /** Null: it does not sound any more. */
  after: Sound | null;
  /** Seconds that its beginning moved; 0 where there is no before or no after. */
  by: number;
}
/** Seconds that nobody hears. */
const NOTHING = 0.0205;

/** Lines that sound elsewhere, faster or slower, or not at all; in order of time. */
export function shifts(before: Sounds, after: Sounds): Shift[] {
  const out: Shift[] = [];
  for (const line of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [was, now] = [before[line] ?? null, after[line] ?? null];
    const isSame =
      !!was &&
      !!now &&
      Math.abs(was.start - now.start) < NOTHING &&
      Math.abs(was.end - now.end) < NOTHING &&
      Math.abs(was.rate * was.stretch - now.rate * now.stretch) < 0.01;
    if (!isSame) out.push({ line, before: was, after: now, by: was && now ? now.start - was.start : 0 });
  }
  const at = (one: Shift): number => (one.after ?? one.before)!.start;
  return out.sort((a, b) => at(a) - at(b));
}
