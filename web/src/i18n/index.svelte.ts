// Words in the language of whoever reads them. `t('jobs.title')`, `t('jobs.count', { count: 3 })`.
import { keep, kept } from './kept';
import type { Areas, Key, Messages } from './keys';

export type { Key };
export const LANGUAGES = { en: 'English', es: 'Español' } as const;
export type Language = keyof typeof LANGUAGES;
type Given = Record<string, string | number>;

const RIGHT_TO_LEFT = new Set(['ar', 'dv', 'fa', 'he', 'ps', 'sd', 'ug', 'ur', 'yi', 'ckb']);
const FILES = import.meta.glob<Messages>('./*/index.ts');

/** Whether a language (BCP-47) is written from right to left. */
export const isRightToLeft = (tag: string): boolean =>
  RIGHT_TO_LEFT.has(tag.toLowerCase().split('-')[0] ?? '');

/** The best of our languages for a browser that wants these. */
export function best(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const base = tag.toLowerCase().split('-')[0] ?? '';
    if (base in LANGUAGES) return base as Language;
  }
  return 'en';
}

class Locale {
  /** The language that is shown. */
  language = $state<Language>('en');
  #messages = $state.raw<Messages>();
  #plurals = $derived(new Intl.PluralRules(this.language));

  /** Show what was chosen here before, or what the browser prefers. */
  async begin(): Promise<void> {
    const chosen = kept('language');
    await this.#show(chosen && chosen in LANGUAGES ? (chosen as Language) : best(navigator.languages));
  }

  async choose(language: Language): Promise<void> {
    keep('language', language);
    await this.#show(language);
  }

  /** Words in place of all files, for tests. */
  use(language: Language, messages: Messages): void {
    this.#messages = messages;
    this.language = language;
    document.documentElement.lang = language;
    document.documentElement.dir = isRightToLeft(language) ? 'rtl' : 'ltr';
  }

  async #show(language: Language): Promise<void> {
    const load = FILES[`./${language}/index.ts`];
    if (!load) throw new Error(`no messages in ${language}`);
    this.use(language, ((await load()) as unknown as { default: Messages }).default);
  }

  say(key: Key, given: Given = {}): string {
    const dot = key.indexOf('.');
    const area = this.#messages?.[key.slice(0, dot) as keyof Areas] as Record<string, unknown> | undefined;
    const found = area?.[key.slice(dot + 1)] as string | Record<string, string> | undefined;
    if (found === undefined) return key;
    const text =
      typeof found === 'string'
        ? found
        : ((given.count === 0 ? found.zero : undefined) ??
          found[this.#plurals.select(Number(given.count))] ??
          found.other);
    return (text ?? key).replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = given[name];
      if (value === undefined) return whole;
      return typeof value === 'number' ? new Intl.NumberFormat(this.language).format(value) : value;
    });
  }

  has(key: string): key is Key {
    const dot = key.indexOf('.');
    const area = this.#messages?.[key.slice(0, dot) as keyof Areas] as Record<string, unknown> | undefined;
    return area?.[key.slice(dot + 1)] !== undefined;
  }
}

export const locale = new Locale();

/** Words by their key; `{count}` chooses between `zero`, `one` and `other` and is written as a number. */
export const t = (key: Key, given?: Given): string => locale.say(key, given);

/** Words by a key made at run time, such as `` tOr(`jobs.stage.${stage}`, stage) ``; else the `fallback`. */
export const tOr = (key: string, fallback: string, given?: Given): string =>
  locale.has(key) ? locale.say(key, given) : fallback;

export { fmt } from './format';
