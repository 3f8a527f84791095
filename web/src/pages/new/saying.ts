// Refusals in the reader's words, where we have some; else in the server's.
import { t, tOr } from '../../i18n/index.svelte';
import type { Checking, Missing } from './checking.svelte';
import type { Place, Refusal } from './refusals';

export const refusalText = (refusal: Refusal): string => tOr(`newdub.refused.${refusal.code}`, refusal.text);

/** What the page asks for where something is missing, once somebody wanted to start. */
export const missingText = (missing: Missing): string => t(`newdub.missing.${missing}`);

/** What a field says in red: what is missing, or what the server has against it. */
export function errorAt(checking: Checking, place: Place): string | undefined {
  const lacks = checking.missing.find((one) => one === place);
  if (lacks) return checking.isPressed ? missingText(lacks) : undefined;
  const refusal = checking.at(place);
  if (!refusal) return undefined;
  const text = refusalText(refusal);
  return refusal.hint ? `${text} ${refusal.hint}` : text;
}
