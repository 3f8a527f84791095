// How long a key is good for.
export const TERMS = ['30', '90', '365', 'date', 'never'] as const;
export type Term = (typeof TERMS)[number];

/** When a key of that term ends: seconds since 1970; null: never. `date` is such as 2027-03-31, to the end of that day. */
export function ends(term: Term, date: string, now = Date.now() / 1000): number | null {
  if (term === 'never') return null;
  if (term === 'date') {
    const [year, month, day] = date.split('-').map(Number);
    return new Date(year!, month! - 1, day! + 1).getTime() / 1000;
  }
  return now + Number(term) * 86_400;
}

/** Whether something that ends then has ended. */
export const isOver = (end: number | null, now = Date.now() / 1000): boolean => end !== null && end <= now;

/** A day as fields of dates have it. */
export const dayOf = (at: Date): string =>
  [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((part) => String(part).padStart(2, '0')).join('-');
