import { describe, expect, test } from 'vitest';
import * as geometry from './geometry';

const view = { scale: 50, left: 1000, width: 800 };

test('seconds and pixels are each other’s inverse', () => {
  expect(geometry.xOf(view, 22)).toBe(100);
  expect(geometry.timeAt(view, 100)).toBe(22);
});

describe('what is seen', () => {
  const spans = Array.from({ length: 500 }, (_, index) => ({ start: index * 2, end: index * 2 + 1.5 }));
  test('only spans that may be seen are drawn', () => {
    const [from, to] = geometry.seen(view, spans, 1.5);
    expect([from, to]).toEqual([10, 18]);
    for (const [index, span] of spans.entries()) {
      if (geometry.isSeen(view, span)) expect(index >= from && index <= to).toBe(true);
    }
  });
  test('a moment lies in the latest line that holds it', () => {
    expect(geometry.spanAt(spans, 21, 1.5)).toBe(10);
    expect(geometry.spanAt(spans, 21.7, 1.5)).toBe(-1);
    expect(
      geometry.spanAt(
        [
          { start: 0, end: 9 },
          { start: 1, end: 2 },
        ],
        5,
        9,
      ),
    ).toBe(0);
    expect(
      geometry.spanAt(
        [
          { start: 0, end: 9 },
          { start: 1, end: 2 },
        ],
        1.5,
        9,
      ),
    ).toBe(1);
  });
  test('rows of a list, with some above and below', () => {
    expect(geometry.rows(1000, 500, 50, 500, 6)).toEqual({ from: 14, to: 36 });
    expect(geometry.rows(0, 500, 50, 3, 6)).toEqual({ from: 0, to: 3 });
  });
});

describe('zooming', () => {
  test('the moment under the pointer stays there', () => {
    const next = geometry.zoomed(view, 100, 300, 600);
    expect(geometry.timeAt(next, 300)).toBeCloseTo(geometry.timeAt(view, 300));
  });
  test('it ends at its bounds, and never shows what is beyond the programme', () => {
    expect(geometry.zoomed(view, 9999, 0, 600).scale).toBe(geometry.MOST_SCALE);
    expect(geometry.zoomed(view, 2, 300, 30).left).toBe(0);
  });
  test('a line out of sight is brought into it, one in sight moves nothing', () => {
    expect(geometry.revealed(view, { start: 25, end: 26 }, 600)).toBe(view.left);
    expect(geometry.revealed(view, { start: 100, end: 101 }, 600)).toBeCloseTo(100.5 * 50 - 400);
  });
});

test('moments on the ruler can be read', () => {
  for (const scale of [2, 10, 50, 150, 400]) {
    const { step, moments } = geometry.ticks({ ...view, scale });
    expect(step * scale).toBeGreaterThanOrEqual(78);
    expect(moments.length).toBeLessThan(14);
    expect(moments[0]).toBeLessThanOrEqual(geometry.timeAt({ ...view, scale }, 0));
  }
});

describe('dragging', () => {
  const span = { start: 1, end: 2 };
  const free = (moment: number): number => Math.round(moment * 1000) / 1000;
  test('an edge stays in its programme and leaves a line', () => {
    expect(geometry.dragged(span, 'start', -9, 10, free)).toEqual({ start: 0, end: 2 });
    expect(geometry.dragged(span, 'start', 9, 10, free)).toEqual({ start: 1.9, end: 2 });
    expect(geometry.dragged(span, 'end', 99, 10, free)).toEqual({ start: 1, end: 10 });
    expect(geometry.dragged(span, 'move', 99, 10, free)).toEqual({ start: 9, end: 10 });
  });
  test('edges snap to what is near, the end of a moved line, too', () => {
    const near = (moment: number): number => geometry.snap(moment, [0.5, 3], 0.1);
    expect(geometry.dragged(span, 'start', -0.45, 10, near).start).toBe(0.5);
    expect(geometry.dragged(span, 'start', -0.3, 10, near).start).toBe(0.7);
    expect(geometry.dragged(span, 'move', 0.95, 10, near)).toEqual({ start: 2, end: 3 });
  });
});
