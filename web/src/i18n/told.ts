// What the server refuses, in the reader's words: by its stable code, with the server's own (English) words beside.
import { locale, t, tOr } from './index.svelte';

interface Problem {
  code: string;
  message: string;
  hint?: string;
}
export interface Told {
  text: string;
  /** What to do about it. */
  hint: string;
  /** The server's words where ours say less. */
  also: string;
  /** The language of `text` and `hint`, where it is not the reader's. */
  lang?: 'en';
}

/** What a problem says. In English the server's own words are the best there are. */
export function told({ code, message, hint = '' }: Problem): Told {
  const common = tOr(`common.problem.${code}`, '');
  if (locale.language === 'en') {
    return { text: common || message || t('common.problem.unknown'), hint, also: '' };
  }
  const fix = tOr(`common.fix.${code}`, '');
  if (common) return { text: common, hint: fix, also: '' };
  const ours = tOr(`common.refusal.${code}`, '');
  if (ours) return { text: ours, hint: fix, also: [message, hint].filter(Boolean).join(' ') };
  if (!message) return { text: t('common.problem.unknown'), hint: '', also: hint };
  return { text: message, hint, also: '', lang: 'en' };
}

/** The same in one line, without what to do. */
export function toldLine({ code, message }: Problem): string {
  const { text, also } = told({ code, message });
  return also ? `${text} ${also}` : text;
}

/** The same with what to do about it. */
export function toldWhole(problem: Problem): string {
  const { text, hint, also } = told(problem);
  return [text, hint, also].filter(Boolean).join(' ');
}

/** How an engine stands, in words: `needs key` and the like. */
export const engineState = (state: string): string =>
  tOr(`common.engine.${state.replaceAll(' ', '_')}`, state);
