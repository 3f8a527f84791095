// What the server refuses, in the reader's words: by its stable code, with the server's own (English) sentence beside.
import { locale, t, tOr } from './index.svelte';

interface Problem {
  code: string;
  message: string;
}
export interface Told {
  text: string;
  /** The server's sentence where `text` is ours and says less. */
  also: string;
}

/** What a problem says. In English the server's own sentence is the best there is. */
export function told({ code, message }: Problem): Told {
  const common = tOr(`common.problem.${code}`, '');
  if (common) return { text: common, also: '' };
  const ours = locale.language === 'en' ? '' : tOr(`common.refusal.${code}`, '');
  if (ours) return { text: ours, also: message };
  return { text: message || t('common.problem.unknown'), also: '' };
}

/** The same in one line. */
export function toldLine(problem: Problem): string {
  const { text, also } = told(problem);
  return also ? `${text} ${also}` : text;
}

/** The same with what to do about it. */
export const toldWhole = (problem: Problem & { hint?: string }): string =>
  [toldLine(problem), problem.hint].filter(Boolean).join(' ');

/** How an engine stands, in words: `needs key` and the like. */
export const engineState = (state: string): string =>
  tOr(`common.engine.${state.replaceAll(' ', '_')}`, state);
