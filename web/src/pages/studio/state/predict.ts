// How long a wording will be, guessed from what the same voice has said: for servers that do not tell.
import type { Line } from './document';
import { rateOf } from './risk';

/** Seconds of speech at the voice's pace, and the rate that would fill the line's time. */
export interface Guess {
  seconds: number;
  rate: number;
}
const LETTERS = /[\p{L}\p{N}]/gu;
/** Letters and digits that are spoken; a sign of a language without an alphabet counts for three. */
export function weight(text: string): number {
  let sum = 0;
  for (const one of text.match(LETTERS) ?? [])
    sum += /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u.test(one) ? 3 : 1;
  return sum;
}

/** Letters a second that a speaker says at their own pace, by what was made; null before anything was. */
export function tempo(lines: readonly Line[], speaker: string): number | null {
  const [letters, seconds] = lines.reduce<[number, number]>(
    ([count, time], line) => {
      if (line.speaker !== speaker || !line.timing || line.stale) return [count, time];
      const { start, end } = line.timing;
      return [count + weight(line.text), time + (end - start) * rateOf(line.timing)];
    },
    [0, 0],
  );
  return seconds > 0.5 ? letters / seconds : null;
}

export function guess(text: string, perSecond: number | null, room: number): Guess | null {
  if (!perSecond || !text) return null;
  const seconds = weight(text) / perSecond;
  return { seconds, rate: room > 0 ? seconds / room : 0 };
}

export type Fit = 'short' | 'good' | 'brisk' | 'fast';
/** How a rate sounds: what listeners do not notice, notice, and mind. */
export function fitOf(rate: number): Fit {
  if (rate > 1.15) return 'fast';
  if (rate > 1.08) return 'brisk';
  return rate < 0.75 ? 'short' : 'good';
}

export type FitWord = Fit | 'overlap' | 'too_long';
/** How a wording fits, in one word: by what the server says is wrong, else by its rate. */
export function wordOf(rate: number, flags: readonly string[] = []): FitWord {
  if (flags.includes('overlap')) return 'overlap';
  if (flags.includes('fast') || flags.includes('emergency_rate')) return 'fast';
  if (flags.includes('too_long')) return 'too_long';
  return flags.includes('short') ? 'short' : fitOf(rate);
}
