// Which languages a dub can be in here, and what the others lack.
import type { Schemas } from '../../api';

export type Lack = 'speaker' | 'translator' | 'same';
export interface LanguageChoice {
  tag: string;
  /** In English, as the server says it: people search by it, too. */
  name: string;
  /** Why it cannot be chosen; null: it can. */
  lack: Lack | null;
  /** Engines that would help if they were ready. */
  by: string[];
}
export interface SpokenChoice {
  tag: string;
  name: string;
  /** Whether somebody here recognises it by ear. */
  isHeard: boolean;
}

type Languages = Schemas['LanguagesShape'];
type Engine = Schemas['EngineShape'];

/** It reads texts and hears nothing. */
const READER = 'subtitles';
export const primary = (tag: string): string => tag.toLowerCase().split('-')[0] ?? '';

/** What files write (ISO 639-2) where a tag has two letters. */
const SHORT: Record<string, string> = Object.fromEntries(
  (
    'eng en spa es fra fr fre fr deu de ger de ita it por pt cat ca nld nl dut nl rus ru jpn ja zho zh chi zh ' +
    'kor ko ara ar hin hi pol pl tur tr swe sv dan da nor no fin fi ces cs cze cs ell el gre el heb he hun hu ' +
    'ukr uk ron ro rum ro vie vi tha th ind id fas fa per fa eus eu baq eu glg gl'
  )
    .match(/\w+ \w+/g)!
    .map((pair) => pair.split(' ') as [string, string]),
);

/** The tag of a track as we write it; null where it says nothing, as many files do. */
export function tagOf(said: unknown): string | null {
  if (typeof said !== 'string' || !/^[a-z]{2,3}(-|$)/i.test(said)) return null;
  const base = primary(said);
  if (['und', 'mis', 'mul', 'zxx'].includes(base)) return null;
  return SHORT[base] ?? said;
}

function known(languages: Languages, engines: readonly Engine[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const part of [languages.spoken, languages.translated, languages.recognised]) {
    for (const one of part) for (const { tag, name } of one.languages ?? []) names.set(tag, name);
  }
  const tags = new Set<string>();
  for (const one of languages.translated) {
    for (const [from, targets] of Object.entries(one.pairs ?? {}))
      [from, ...targets].forEach((tag) => tags.add(tag));
  }
  for (const one of engines) if (one.role === 'synthesizer') one.languages?.forEach((tag) => tags.add(tag));
  for (const tag of tags) if (!names.has(tag)) names.set(tag, english(tag));
  return names;
}

function english(tag: string): string {
  try {
    return new Intl.DisplayNames('en', { type: 'language' }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}

/** Languages that are recognised by ear; null: any. */
function heard(languages: Languages): Set<string> | null {
  const found = new Set<string>();
  for (const one of languages.recognised) {
    if (one.engine === READER) continue;
    if (one.languages === null) return null;
    for (const { tag } of one.languages) found.add(primary(tag));
  }
  return found;
}

/** Every language that may be spoken in a source. */
export function spokenChoices(languages: Languages, engines: readonly Engine[]): SpokenChoice[] {
  const ears = heard(languages);
  return [...known(languages, engines)].map(([tag, name]) => ({
    tag,
    name,
    isHeard: ears === null || ears.has(primary(tag)),
  }));
}

/**
 * Every language as a target, those that are ready first. `from` is what is spoken, where that is known; with a
 * text of one's own (`hasText`) nobody needs to recognise anything.
 */
export function targetChoices(
  languages: Languages,
  engines: readonly Engine[],
  from: string | null,
  hasText = false,
): LanguageChoice[] {
  const ears = hasText ? null : heard(languages);
  const source = from === null ? null : primary(from);
  const isSpoken = (tag: string): boolean =>
    languages.spoken.some(
      (one) => one.languages === null || one.languages.some((own) => primary(own.tag) === tag),
    );
  const isReached = (tag: string): boolean =>
    languages.translated.some(
      ({ pairs }) =>
        pairs === null ||
        Object.entries(pairs).some(
          ([own, targets]) =>
            targets.some((one) => primary(one) === tag) &&
            (source === null ? ears === null || ears.has(primary(own)) : primary(own) === source),
        ),
    );
  const others = (role: string, tag: string): string[] =>
    engines
      .filter((one) => one.role === role && one.state !== 'ready')
      .filter((one) => one.languages === null || one.languages.some((own) => primary(own) === tag))
      .map((one) => one.name);
  const found = [...known(languages, engines)].map(([tag, name]): LanguageChoice => {
    const base = primary(tag);
    if (base === source) return { tag, name, lack: 'same', by: [] };
    if (!isSpoken(base)) return { tag, name, lack: 'speaker', by: others('synthesizer', base) };
    if (!isReached(base)) return { tag, name, lack: 'translator', by: others('translator', base) };
    return { tag, name, lack: null, by: [] };
  });
  return found.sort(
    (a, b) => Number(a.lack !== null) - Number(b.lack !== null) || a.name.localeCompare(b.name),
  );
}

const plain = (text: string): string =>
  text
    .normalize('NFD')
    .replace(/\p{Diacritic}/gu, '')
    .toLowerCase();

/** Those that a search means: by their name here, in English, in their own words, or by their tag. */
export function searched<C extends { tag: string; name: string }>(
  choices: readonly C[],
  text: string,
  shown: (tag: string) => string,
): C[] {
  const wanted = plain(text.trim());
  if (!wanted) return [...choices];
  const rank = (one: C): number => {
    const names = [shown(one.tag), one.name, own(one.tag), one.tag].map(plain);
    if (names.some((name) => name === wanted)) return 0;
    if (names.some((name) => name.startsWith(wanted))) return 1;
    return names.some((name) => name.includes(wanted)) ? 2 : 3;
  };
  return choices
    .map((one) => ({ one, at: rank(one) }))
    .filter(({ at }) => at < 3)
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one);
}

/** A language in its own words; empty where nobody knows them. */
export function own(tag: string): string {
  try {
    const name = new Intl.DisplayNames(tag, { type: 'language', fallback: 'none' }).of(tag);
    return name ?? '';
  } catch {
    return '';
  }
}
