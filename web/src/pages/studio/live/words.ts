// Problems in words.
import { fmt, t } from '../../../i18n/index.svelte';
import type { Problem } from '../state/risk';

/** What is doubtful about a line, in words: what it is, and how to mend it. */
export function inWords({ trouble, value }: Problem['doubts'][number]): { what: string; mend: string } {
  const shown =
    typeof value === 'number'
      ? trouble === 'fast' || trouble === 'emergency_rate'
        ? fmt.number(value, 2)
        : fmt.number(value, 1)
      : (value ?? '');
  return {
    what: t(`studio.trouble.${trouble}`, { value: shown }),
    mend: t(`studio.mend.${trouble}`),
  };
}
