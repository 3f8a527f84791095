// The timeline's arithmetic: seconds and pixels, what is seen, what is hit, and where an edge snaps to.
import { SHORTEST, ms } from './document';

export interface View {
  /** Pixels a second. */
  scale: number;
  /** Pixels that are scrolled away. */
  left: number;
  /** Pixels that are seen. */
  width: number;
}
export const LEAST_SCALE = 2;
export const MOST_SCALE = 400;

export const xOf = (view: View, seconds: number): number => seconds * view.scale - view.left;
export const timeAt = (view: View, x: number): number => (x + view.left) / view.scale;

export interface Span {
  start: number;
  end: number;
}
/** Whether anything of a span is seen. */
export const isSeen = (view: View, { start, end }: Span, slack = 0): boolean =>
  xOf(view, end) >= -slack && xOf(view, start) <= view.width + slack;

/** First and one past the last of spans (in order of their starts) that may be seen; `longest` is the longest of all. */
export function seen(view: View, spans: readonly Span[], longest: number): [number, number] {
  const [from, to] = [timeAt(view, 0) - longest, timeAt(view, view.width)];
  return [firstFrom(spans, from), firstFrom(spans, to)];
}
/** Index of the first span that starts at or after a moment. */
export function firstFrom(spans: readonly Span[], moment: number): number {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle]!.start < moment) low = middle + 1;
    else high = middle;
  }
  return low;
}
/** Index of the span that a moment lies in, the latest of several; -1 for none. */
export function spanAt(spans: readonly Span[], moment: number, longest: number): number {
  for (let at = firstFrom(spans, moment + 1e-9) - 1; at >= 0; at--) {
    const span = spans[at]!;
    if (moment < span.end) return at;
    if (span.start < moment - longest) return -1;
  }
  return -1;
}

/** A view at another scale in which the moment at `x` stays where it is. */
export function zoomed(view: View, scale: number, x: number, seconds: number): View {
  const next = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, scale));
  const left = timeAt(view, x) * next - x;
  return { ...view, scale: next, left: clampLeft(left, next, view.width, seconds) };
}
export const clampLeft = (left: number, scale: number, width: number, seconds: number): number =>
  Math.max(0, Math.min(left, Math.max(0, seconds * scale - width)));

/** Where to scroll so that a span is seen; the same place where it is seen already. */
export function revealed(view: View, span: Span, seconds: number): number {
  const margin = Math.min(80, view.width / 8);
  const [a, b] = [xOf(view, span.start), xOf(view, span.end)];
  if (a >= margin && b <= view.width - margin) return view.left;
  const middle = (span.start + span.end) / 2;
  const left =
    b - a > view.width - 2 * margin ? span.start * view.scale - margin : middle * view.scale - view.width / 2;
  return clampLeft(left, view.scale, view.width, seconds);
}

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
/** Moments to be written on the ruler, so far apart that they can be read. */
export function ticks(view: View, apart = 78): { step: number; moments: number[] } {
  const step = STEPS.find((one) => one * view.scale >= apart) ?? 7200;
  const first = Math.max(0, Math.floor(timeAt(view, 0) / step));
  const last = Math.ceil(timeAt(view, view.width) / step);
  return {
    step,
    moments: Array.from({ length: last - first + 1 }, (_, index) => ms((first + index) * step)),
  };
}

/** The nearest of `marks` within `reach` seconds, else the moment itself. */
export function snap(moment: number, marks: readonly number[], reach: number): number {
  let [best, least] = [moment, reach];
  for (const mark of marks) {
    const away = Math.abs(mark - moment);
    if (away <= least) [best, least] = [mark, away];
  }
  return ms(best);
}

export type Grip = 'start' | 'end' | 'move';
/** A span after one of its edges, or all of it, was dragged by so many seconds. It keeps a length and its programme. */
export function dragged(
  span: Span,
  grip: Grip,
  by: number,
  limit: number,
  to: (moment: number) => number,
): Span {
  const { start, end } = span;
  if (grip === 'start') return { start: ms(Math.max(0, Math.min(to(start + by), end - SHORTEST))), end };
  if (grip === 'end') return { start, end: ms(Math.min(limit, Math.max(to(end + by), start + SHORTEST))) };
  const length = end - start;
  let moved = to(start + by);
  if (moved === ms(start + by)) moved = to(end + by) - length;
  const first = ms(Math.max(0, Math.min(moved, limit - length)));
  return { start: first, end: ms(first + length) };
}

/** Rows of a list of which a part is seen: first, one past the last, and pixels above. */
export function rows(
  top: number,
  height: number,
  row: number,
  count: number,
  slack = 6,
): { from: number; to: number } {
  const from = Math.max(0, Math.floor(top / row) - slack);
  return { from: Math.min(from, count), to: Math.min(count, Math.ceil((top + height) / row) + slack) };
}
