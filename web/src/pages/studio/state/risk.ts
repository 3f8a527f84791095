// Which lines a person should look at first, and why.
import type { Line } from './document';

export type Trouble =
  | 'refused'
  | 'silent'
  | 'cut'
  | 'noText'
  | 'overlap'
  | 'emergency_rate'
  | 'fast'
  | 'too_long'
  | 'late'
  | 'early'
  | 'kept'
  | 'short'
  | 'collides';
/** How much each weighs; doubts combine as 1 - prod(1 - weight). What is lost weighs more than what sounds hurried. */
export const WEIGHTS: Readonly<Record<Trouble, number>> = {
  refused: 0.95,
  silent: 0.9,
  cut: 0.85,
  noText: 0.8,
  overlap: 0.7,
  emergency_rate: 0.6,
  fast: 0.4,
  too_long: 0.35,
  late: 0.35,
  collides: 0.3,
  early: 0.3,
  kept: 0.25,
  short: 0.15,
};
export interface Doubt {
  trouble: Trouble;
  /** For words: seconds, a rate, or what the server said. */
  value?: number | string | undefined;
}
export interface Problem {
  line: string;
  /** 0..1, to order by; no probability. */
  risk: number;
  /** Worst first. */
  doubts: Doubt[];
}
/** A line as it is weighed. */
export interface Weighed extends Pick<
  Line,
  'id' | 'speaker' | 'start' | 'end' | 'text' | 'keep_original' | 'note' | 'timing' | 'stale' | 'added'
> {
  /** What the server said when it did not take the line. */
  refusal?: string | undefined;
}
export interface Measured {
  line: string;
  kind: string;
}

const KNOWN = new Set<string>(['overlap', 'emergency_rate', 'fast', 'too_long', 'late', 'early', 'short']);

/** Lines in order of time -> those with anything doubtful, riskiest first. `measured` is what the finished file showed. */
export function problems(lines: readonly Weighed[], measured: readonly Measured[] = []): Problem[] {
  const shown = new Map<string, Set<string>>();
  for (const { line, kind } of measured) shown.set(line, (shown.get(line) ?? new Set()).add(kind));
  const out: Problem[] = [];
  const last = new Map<string, Weighed>();
  for (const line of lines) {
    const doubts = doubtsOf(line, shown.get(line.id));
    const before = last.get(line.speaker);
    if (before && before.end - line.start > 0.05) {
      doubts.push({ trouble: 'collides', value: before.end - line.start });
    }
    last.set(line.speaker, line);
    if (!doubts.length) continue;
    doubts.sort((a, b) => WEIGHTS[b.trouble] - WEIGHTS[a.trouble]);
    const calm = doubts.reduce((rest, { trouble }) => rest * (1 - WEIGHTS[trouble]), 1);
    out.push({ line: line.id, risk: 1 - calm, doubts });
  }
  const at = new Map(lines.map((line, index) => [line.id, index]));
  return out.sort((a, b) => b.risk - a.risk || at.get(a.line)! - at.get(b.line)!);
}

function doubtsOf(line: Weighed, shown: ReadonlySet<string> | undefined): Doubt[] {
  const out: Doubt[] = [];
  if (line.refusal) out.push({ trouble: 'refused', value: line.refusal });
  if (line.added && !line.text) out.push({ trouble: 'noText' });
  if (line.keep_original || !line.text) {
    // Whoever keeps the original on purpose is not asked again and again.
    if (line.note && !line.stale) out.push({ trouble: 'kept', value: line.note });
    return out;
  }
  // What was changed since sounds otherwise after the next dub: nobody knows yet.
  if (line.stale) return out;
  if (!line.timing) {
    if (!line.note) out.push({ trouble: 'silent' });
    else out.push({ trouble: 'kept', value: line.note });
    return out;
  }
  if (shown?.has('cut')) out.push({ trouble: 'cut' });
  if (shown?.has('silent')) out.push({ trouble: 'silent' });
  for (const flag of line.timing.flags) {
    if (KNOWN.has(flag)) out.push({ trouble: flag as Trouble, value: valueOf(flag, line) });
  }
  if (shown?.has('overlap') && !out.some((one) => one.trouble === 'overlap'))
    out.push({ trouble: 'overlap' });
  return out;
}

/** Speed of what is heard, as a factor of the voice's own. */
export const rateOf = (timing: { rate: number; stretch: number }): number => timing.rate * timing.stretch;

function valueOf(flag: string, line: Weighed): number | undefined {
  const timing = line.timing;
  if (!timing) return undefined;
  switch (flag) {
    case 'fast':
    case 'emergency_rate':
      return rateOf(timing);
    case 'late':
    case 'early':
      return Math.abs(timing.start - line.start);
    case 'too_long':
    case 'short':
      return Math.abs(timing.end - line.end);
    default:
      return undefined;
  }
}

/** The next problem after a line in the order of risk; the first where the line has none; round at the end. */
export function next(found: readonly Problem[], line: string | null, step: 1 | -1 = 1): string | null {
  if (!found.length) return null;
  const at = found.findIndex((one) => one.line === line);
  const to = at < 0 ? (step > 0 ? 0 : found.length - 1) : (at + step + found.length) % found.length;
  return found[to]!.line;
}
