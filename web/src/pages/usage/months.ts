// Months of the calendar (UTC), as the server names them: 2026-03.
import { locale } from '../../i18n/index.svelte';

const two = (value: number): string => String(value).padStart(2, '0');

/** The month of a moment, and so many before it; the newest first. */
export function months(now: Date, count: number): string[] {
  return Array.from({ length: count }, (_, back) => {
    const at = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, 1));
    return `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}`;
  });
}

/** Every day of a month, as the server names days: 2026-03-01. */
export function days(month: string): string[] {
  const [year, at] = month.split('-').map(Number);
  const count = new Date(Date.UTC(year!, at!, 0)).getUTCDate();
  return Array.from({ length: count }, (_, index) => `${month}-${two(index + 1)}`);
}

const shown = (day: string, options: Intl.DateTimeFormatOptions): string =>
  new Intl.DateTimeFormat(locale.language, { ...options, timeZone: 'UTC' }).format(new Date(day));
export const monthName = (month: string): string => shown(`${month}-01`, { month: 'long', year: 'numeric' });
export const dayName = (day: string): string => shown(day, { day: 'numeric', month: 'short' });
