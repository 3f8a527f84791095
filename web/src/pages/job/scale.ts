// Places on a drawing for times and values.

/** A number for each value of a range: `scale([0, 10], [0, 100])(5) === 50`. */
export function scale(
  from: readonly [number, number],
  to: readonly [number, number],
): (value: number) => number {
  const span = from[1] - from[0] || 1;
  return (value) => to[0] + ((value - from[0]) / span) * (to[1] - to[0]);
}

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

/** Round moments of a length, in seconds, so many at most. */
export function ticks(seconds: number, most: number): number[] {
  const step = STEPS.find((one) => seconds / one <= most) ?? Math.ceil(seconds / most / 3600) * 3600;
  const found: number[] = [];
  for (let count = 0; count * step <= seconds + 1e-9; count++) found.push(Number((count * step).toFixed(3)));
  return found;
}

/** A path through values in even steps; it is broken where there is none. */
export function curve(
  values: readonly (number | null)[],
  x: (index: number) => number,
  y: (value: number) => number,
): string {
  let path = '';
  let isOn = false;
  for (const [index, value] of values.entries()) {
    if (value === null) {
      isOn = false;
      continue;
    }
    path += `${isOn ? 'L' : 'M'}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
    isOn = true;
  }
  return path;
}

/** At most so many values of many: the mean of those that fall together. */
export function thinned(
  values: readonly (number | null)[],
  most: number,
): { every: number; values: (number | null)[] } {
  const every = Math.max(1, Math.ceil(values.length / most));
  if (every === 1) return { every, values: [...values] };
  const found: (number | null)[] = [];
  for (let at = 0; at < values.length; at += every) {
    const some = values.slice(at, at + every).filter((value) => value !== null);
    found.push(some.length ? some.reduce((sum, value) => sum + value, 0) / some.length : null);
  }
  return { every, values: found };
}
