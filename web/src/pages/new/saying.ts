// Refusals in the reader's words, where we have some; else in the server's.
import { fmt, t, tOr, type Key } from '../../i18n/index.svelte';
import { told } from '../../i18n/told';
import type { Checking, Missing } from './checking.svelte';
import type { Place, Refusal } from './refusals';

/** What a place is called on the page. */
const NAMES: Record<Place, Key> = {
  source: 'newdub.source',
  spoken: 'newdub.spoken',
  targets: 'newdub.targets',
  range: 'newdub.part',
  voices: 'newdub.voices',
  who: 'newdub.who',
  statement: 'newdub.statement',
  consent_id: 'newdub.consentWhich',
  subtitles: 'newdub.subtitles',
  speakers: 'newdub.speakers',
  glossary: 'newdub.glossary',
  terms: 'newdub.terms',
  tone: 'newdub.tone',
  formality: 'newdub.formality',
  instructions: 'newdub.instructions',
  loudness: 'newdub.loudness',
  engines: 'newdub.advanced',
  title: 'newdub.name',
  budget: 'newdub.budget',
  priority: 'newdub.priority',
  retention_days: 'newdub.retention',
};

export function refusalText(refusal: Refusal): string {
  const between = /^Must be a (?:whole )?number from (\S+) to (\S+)\.$/.exec(refusal.text);
  if (between) return t('newdub.between.numbers', { low: between[1]!, high: between[2]! });
  const { code, text: message, hint } = refusal;
  const ours = tOr(`newdub.refused.${code}`, '');
  if (ours) return ours;
  const { text, also } = told({ code, message, hint });
  return also ? `${text} ${also}` : text;
}

/** What to do about it. */
export const refusalHint = ({ code, text: message, hint }: Refusal): string =>
  told({ code, message, hint }).hint;

/** A refusal in a list of them: with the field, or the language, it is about. */
export function listedText(refusal: Refusal, several: boolean): string {
  const text = refusalText(refusal);
  if (refusal.target && several) return `${fmt.language(refusal.target)}: ${text}`;
  return refusal.place ? `${t(NAMES[refusal.place])}: ${text}` : text;
}

/** What the page asks for where something is missing, once somebody wanted to start. */
export const missingText = (missing: Missing): string => t(`newdub.missing.${missing}`);

/** What a field says in red: what is missing, or what the server has against it. */
export function errorAt(checking: Checking, place: Place): string | undefined {
  const lacks = checking.missing.find((one) => one === place);
  if (lacks) return checking.isPressed ? missingText(lacks) : undefined;
  const refusal = checking.at(place);
  if (!refusal) return undefined;
  return [refusalText(refusal), refusalHint(refusal)].filter(Boolean).join(' ');
}
