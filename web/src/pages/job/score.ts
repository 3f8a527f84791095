// Where everything of the score lies, in pixels.
import { aimOf, lengthOf, type Receipt, type Span } from './receipt';
import { scale, ticks } from './scale';

/** Free at both sides: figures stand at the left one. */
export const MARGIN = 36;
export const LANE = 26;
export const PACE = 76;
const LOUD = 84;
/** Upper edges. */
export const TOP = { axis: 22, source: 30, dub: 74, pace: 130, loud: 236 };
export const HEIGHT = TOP.loud + LOUD + 10;
/** How often the whole fits beside itself. */
export const ZOOMS = [1, 2, 4, 8, 16, 32];

export interface Drawing {
  width: number;
  /** Milliseconds of the programme. */
  length: number;
  /** Milliseconds to pixels. */
  x: (ms: number) => number;
  yPace: (pace: number) => number;
  yLoud: (lufs: number) => number;
  /** LUFS at the lower and at the upper edge. */
  loudness: Span;
  /** LUFS that were aimed at. */
  aim: number | undefined;
  /** Seconds that are written at the axis. */
  marks: number[];
}

function extent(values: readonly (number | null)[], least: number, most: number): [number, number] {
  const found: [number, number] = [least, most];
  for (const value of values) {
    if (value === null) continue;
    found[0] = Math.min(found[0], value);
    found[1] = Math.max(found[1], value);
  }
  return found;
}

/** The drawing of a receipt on so many pixels. */
export function drawing(receipt: Receipt, width: number): Drawing {
  const length = lengthOf(receipt);
  const [slow, fast] = extent(
    receipt.lines.map((line) => line.pace),
    0.8,
    1.3,
  );
  const { source_lufs: source, output_lufs: output } = receipt.curves;
  const [soft, loud] = extent(output, ...extent(source, -30, -10));
  const loudness: Span = [Math.max(-60, Math.floor(soft / 5) * 5), Math.ceil(loud / 5) * 5];
  return {
    width,
    length,
    x: scale([0, length], [MARGIN, width - MARGIN]),
    yPace: scale([slow - 0.05, fast + 0.05], [TOP.pace + PACE, TOP.pace]),
    yLoud: scale(loudness, [TOP.loud + LOUD, TOP.loud]),
    loudness,
    aim: aimOf(receipt),
    marks: ticks(length / 1000, width / 80),
  };
}

/** Pixels that a span is wide; the shortest can still be seen. */
export const widthOf = (drawn: Drawing, span: Span): number =>
  Math.max(2, drawn.x(span[1]) - drawn.x(span[0]));

/** Seconds at which a line begins, in source or dub. */
export function startOf(receipt: Receipt, index: number): number {
  const line = receipt.lines[index];
  if (!line) return 0;
  return Math.max(0, Math.min(line.source_ms[0], (line.clip_ms ?? line.source_ms)[0]) / 1000);
}
