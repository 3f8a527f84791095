// The receipt of a dub (docs/METRICS.md), as far as the page draws it.
export type Span = readonly [number, number];
export type Standing = 'lead' | 'floor' | 'below' | 'undefined' | 'reported';

export interface Metric {
  id: string;
  name: string;
  value: number | null;
  unit: string;
  definition: string;
  sense: 'at least' | 'at most' | '';
  floor: number | null;
  lead: number | null;
  standing: Standing;
  undefined: number;
  reason: string;
}
export interface ReceiptLine {
  id: string;
  speaker: string;
  status: 'spoken' | 'kept original' | 'left out';
  reason: string;
  voice: string;
  text: string;
  spoken: string;
  source_ms: Span;
  dub_ms: Span | null;
  clip_ms: Span | null;
  pace: number | null;
  onset_error_ms: number | null;
  end_error_ms: number | null;
  source_lufs: number | null;
  dub_lufs: number | null;
}
export interface Receipt {
  verdict: 'lead' | 'floor' | 'below' | 'nothing' | 'undefined';
  summary: string;
  durations: { source_ms: number; output_ms: number; picture_copied: boolean | null };
  line_count: { total: number; spoken: number; kept_original: number; left_out: number; heard: number };
  metrics: Metric[];
  flagged: { line: string; risk: number; reasons: string[] }[];
  degradations: { what: string; message: string; reason: string }[];
  engines: { role: string; name: string; version: string; why: string }[];
  notes: string[];
  lines: ReceiptLine[];
  curves: {
    source_speech_ms: Span[];
    dub_speech_ms: Span[];
    step_ms: number;
    source_lufs: (number | null)[];
    output_lufs: (number | null)[];
  };
  bill: {
    total: number;
    expected: number | null;
    expected_low: number | null;
    expected_high: number | null;
  } | null;
}

/** Speech within this part of a voice's pace sounds even (figure T9). */
export const BAND: Span = [0.9, 1.15];

/** Figures that are told first. */
export const HEADLINES = [
  'L1', 'T1.file', 'T6.onset.p95', 'T9.natural', 'T10', 'T18', 'D1.frames', 'D1.sound', 'B1', 'B2', 'M5.loudness',
] as const; // prettier-ignore

export const metricOf = (receipt: Receipt, id: string): Metric | undefined =>
  receipt.metrics.find((metric) => metric.id === id);

/** Milliseconds of the programme. */
export const lengthOf = (receipt: Receipt): number =>
  Math.max(1, receipt.durations.source_ms, receipt.durations.output_ms);

/**
 * Programme loudness that was aimed at, LUFS. The receipt has the size of the error only, so it is told where
 * the source's own loudness was the aim; undefined otherwise.
 */
export function aimOf(receipt: Receipt): number | undefined {
  const value = (id: string): number | null => metricOf(receipt, id)?.value ?? null;
  const [output, error, source] = [value('M5.output'), value('M5.loudness'), value('M5.source')];
  if (output === null || error === null || source === null) return undefined;
  return Math.abs(Math.abs(output - source) - error) < 0.15 ? source : undefined;
}

/** Number of each speaker from 1 on, in order of appearance: it chooses the colour. */
export function speakersOf(lines: readonly ReceiptLine[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of lines) if (!found.has(line.speaker)) found.set(line.speaker, found.size + 1);
  return found;
}

/** Figures by where they stand against their bounds: those to worry about first. */
export function byStanding(metrics: readonly Metric[]): { judged: Metric[]; reported: Metric[] } {
  const order: Record<Standing, number> = { below: 0, floor: 1, lead: 2, undefined: 3, reported: 4 };
  const judged = metrics.filter(
    (one) => one.sense && one.standing !== 'reported' && one.standing !== 'undefined',
  );
  return {
    judged: [...judged].sort((a, b) => order[a.standing] - order[b.standing]),
    reported: metrics.filter((one) => !judged.includes(one)),
  };
}

/** The line that sounds at a moment (seconds), in source or dub; the last that has begun where none does. */
export function lineAt(lines: readonly ReceiptLine[], seconds: number): number {
  const at = seconds * 1000;
  let last = -1;
  for (const [index, line] of lines.entries()) {
    const span = line.clip_ms ?? line.source_ms;
    if (Math.min(span[0], line.source_ms[0]) > at) break;
    last = index;
  }
  return last;
}
