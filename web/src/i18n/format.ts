// Numbers, times, sizes and money as the reader writes them.
import { locale, tOr } from './index.svelte';
import { names } from './names.svelte';

const kept = new Map<string, unknown>();
function made<T>(name: string, make: (language: string) => T): T {
  const key = `${locale.language} ${name}`;
  let found = kept.get(key) as T | undefined;
  if (found === undefined) kept.set(key, (found = make(locale.language)));
  return found;
}
const number = (options: Intl.NumberFormatOptions): Intl.NumberFormat =>
  made(JSON.stringify(options), (language) => new Intl.NumberFormat(language, options));

const SIZES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
];
const two = (value: number): string => String(value).padStart(2, '0');

export const fmt = {
  number: (value: number, digits = 0): string =>
    number({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value),

  /** 0..1 */
  percent: (fraction: number, digits = 0): string =>
    number({ style: 'percent', maximumFractionDigits: digits }).format(fraction),

  /** US dollars; with more digits where it is little. */
  money: (dollars: number): string => {
    const digits = dollars !== 0 && Math.abs(dollars) < 0.1 ? 4 : 2;
    return number({
      style: 'currency',
      currency: 'USD',
      currencyDisplay: 'narrowSymbol',
      minimumFractionDigits: 2,
      maximumFractionDigits: digits,
    }).format(dollars);
  },

  bytes: (bytes: number): string => {
    const step = Math.min(SIZES.length - 1, bytes > 0 ? Math.floor(Math.log10(bytes) / 3) : 0);
    const value = bytes / 1000 ** step;
    const digits = step === 0 || value >= 100 ? 0 : 1;
    return number({
      style: 'unit',
      unit: SIZES[step],
      unitDisplay: step === 0 ? 'long' : 'short', // the short word for bytes has no plural in English
      maximumFractionDigits: digits,
    }).format(value);
  },

  /** Bytes a second. */
  speed: (bytes: number): string => `${fmt.bytes(bytes)}/s`,

  /** Seconds as a place in a programme: 1:02:03, or 2:03.450 with three digits. */
  timecode: (seconds: number, digits = 0): string => {
    const scale = 10 ** digits;
    const all = Math.round(Math.max(0, seconds) * scale);
    const whole = Math.floor(all / scale);
    const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
    const rest = digits ? `.${String(all % scale).padStart(digits, '0')}` : '';
    return hours
      ? `${hours}:${two(minutes)}:${two(whole % 60)}${rest}`
      : `${minutes}:${two(whole % 60)}${rest}`;
  },

  /** Seconds in words, rounded to what matters: 45 s, 3 min 20 s, 2 h 5 min. */
  duration: (seconds: number): string => {
    const unit = (value: number, name: string): string =>
      number({ style: 'unit', unit: name, unitDisplay: 'short', maximumFractionDigits: 0 }).format(value);
    const all = Math.max(0, Math.round(seconds));
    if (all < 60) return unit(all, 'second');
    if (all < 3600) {
      const rest = all < 600 ? all % 60 : 0;
      return unit(Math.floor(all / 60), 'minute') + (rest ? ` ${unit(rest, 'second')}` : '');
    }
    const rest = Math.floor((all % 3600) / 60);
    return unit(Math.floor(all / 3600), 'hour') + (rest ? ` ${unit(rest, 'minute')}` : '');
  },

  /** Seconds since 1970. */
  date: (at: number, style: 'short' | 'medium' | 'long' = 'medium'): string =>
    made(`date ${style}`, (language) => new Intl.DateTimeFormat(language, { dateStyle: style })).format(
      at * 1000,
    ),

  /** Seconds since 1970. */
  dateTime: (at: number): string =>
    made(
      'date time',
      (language) => new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' }),
    ).format(at * 1000),

  time: (at: number): string =>
    made('time', (language) => new Intl.DateTimeFormat(language, { timeStyle: 'medium' })).format(at * 1000),

  /** How long ago or in how long: seconds since 1970, against `now`. */
  ago: (at: number, now = Date.now() / 1000): string => {
    const words = made('ago', (language) => new Intl.RelativeTimeFormat(language, { numeric: 'auto' }));
    const away = at - now;
    const [unit, step] = STEPS.find(([, seconds]) => Math.abs(away) >= seconds) ?? ['second', 1];
    return unit === 'second' ? words.format(0, 'second') : words.format(Math.round(away / step), unit);
  },

  /** The name of a language (BCP-47): Spanish, español. A tag is the last resort. */
  language: (tag: string): string => {
    try {
      const named = (fallback: 'code' | 'none'): Intl.DisplayNames =>
        made(`languages ${fallback}`, (own) => new Intl.DisplayNames(own, { type: 'language', fallback }));
      const said = named('code').of(tag) ?? tag;
      const base = tag.split('-')[0] ?? tag;
      if (named('none').of(base) !== undefined) return said;
      // Many browsers have no name for Bashkir, and say "ba" or "ba (Russia)".
      return said.replace(/^[^\s(]+/, tOr(`common.language.${base}`, '') || (names.of(base) ?? base));
    } catch {
      return tag;
    }
  },

  list: (words: string[]): string =>
    made('list', (language) => new Intl.ListFormat(language, { type: 'conjunction' })).format(words),
};
