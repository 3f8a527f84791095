// Times as people write them: 1:23.450, 83.45, 1:02:03.
import { ms } from './document';

/** Seconds; null for what is no time. */
export function parsed(text: string): number | null {
  const parts = text.trim().replace(',', '.').split(':');
  if (!parts.length || parts.length > 3) return null;
  let seconds = 0;
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
    if (!(isLast ? /^\d+(\.\d*)?$|^\.\d+$/ : /^\d+$/).test(part)) return null;
    if (index > 0 && Number(part) >= 60) return null;
    seconds = seconds * 60 + Number(part);
  }
  return ms(seconds);
}
