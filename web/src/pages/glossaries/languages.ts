// Languages to choose from.
import { fmt } from '../../i18n/index.svelte';

/** Languages as the reader calls them, in the reader's order. */
export const options = (tags: Iterable<string>): { value: string; label: string }[] =>
  [...new Set(tags)]
    .map((value) => ({ value, label: fmt.language(value) }))
    .sort((a, b) => a.label.localeCompare(b.label));
