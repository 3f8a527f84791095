// To the field that something is said about.
import type { Place } from './refusals';

/** The id of the element that a place has on the page. */
export const idOf = (place: Place): string => `new-${place}`;

const FIELDS = 'input:not([disabled]), select, textarea, button';

/** Open what it lies in, and move the focus there. Whether it is on the page. */
export function reveal(place: Place): boolean {
  const found = document.getElementById(idOf(place));
  if (!found) return false;
  for (let up = found.closest('details'); up; up = up.parentElement?.closest('details') ?? null)
    up.open = true;
  const field = found.matches(FIELDS)
    ? found
    : (found.querySelector<HTMLElement>('input:checked') ?? found.querySelector<HTMLElement>(FIELDS));
  field?.focus();
  field?.scrollIntoView?.({ block: 'center' });
  return !!field;
}
