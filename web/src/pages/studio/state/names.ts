// Names for lines that are made here, and looks for speakers.

/** An id for a new line that no other page comes upon. */
export function newId(taken: { has: (id: string) => boolean }): string {
  for (;;) {
    const [one] = crypto.getRandomValues(new Uint32Array(1));
    const id = `mine-${one!.toString(36).padStart(7, '0')}`;
    if (!taken.has(id)) return id;
  }
}

/** Which of the eight colours a speaker has: by their place among all, so that neighbours differ. */
export function colours(speakers: readonly string[]): ReadonlyMap<string, number> {
  return new Map([...speakers].sort(natural).map((name, index) => [name, (index % 8) + 1]));
}
const collator = new Intl.Collator('en', { numeric: true });
export const natural = (a: string, b: string): number => collator.compare(a, b);
