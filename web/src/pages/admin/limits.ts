// Limits as fields have them: empty is what the server's settings say, 0 is no limit.

/** A number in a field, null where it is empty, undefined where it is none. */
export function amount(text: string, { whole = false, least = 0 } = {}): number | null | undefined {
  const typed = text.trim().replace(',', '.');
  if (!typed) return null;
  const value = Number(typed);
  const isGood =
    Number.isFinite(value) && value >= least && value <= 1e6 && (!whole || Number.isInteger(value));
  return isGood ? value : undefined;
}

export const typed = (value: number | null | undefined): string => (value == null ? '' : String(value));
