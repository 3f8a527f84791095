import { describe, expect, it } from 'vitest';
import { own, searched, spokenChoices, tagOf, targetChoices } from './languages';

const language = (tag: string, name: string) => ({ tag, name });
const HERE = {
  recognised: [
    { engine: 'sphinx', languages: [language('en', 'English')] },
    { engine: 'subtitles', languages: null },
  ],
  translated: [{ engine: 'apertium', languages: null, pairs: { en: ['es', 'fr'], fr: ['es', 'ca'] } }],
  spoken: [
    {
      engine: 'espeak',
      languages: [language('es', 'Spanish'), language('ca', 'Catalan'), language('de', 'German')],
    },
  ],
};
const engine = (role: string, name: string, state: string, languages: string[] | null) => ({
  role,
  name,
  state,
  languages,
  version: '1',
  summary: '',
  detail: '',
  fix: '',
  options: [],
  schema: {},
});
const ENGINES = [
  engine('translator', 'openai', 'needs key', null),
  engine('synthesizer', 'piper', 'needs download', ['fr', 'ja']),
  engine('synthesizer', 'espeak', 'ready', ['es', 'ca', 'de']),
];
const found = (from: string | null, hasText = false) =>
  new Map(targetChoices(HERE, ENGINES, from, hasText).map((one) => [one.tag, one]));

describe('languages to dub into', () => {
  it('are ready where somebody translates into them and somebody speaks them', () => {
    expect(found('en').get('es')).toMatchObject({ lack: null, by: [] });
  });
  it('say whom they lack, and who would help', () => {
    expect(found('en').get('de')).toMatchObject({ lack: 'translator', by: ['openai'] });
    expect(found('en').get('fr')).toMatchObject({ lack: 'speaker', by: ['piper'] });
    expect(found('en').get('ja')).toMatchObject({ lack: 'speaker', name: 'Japanese' });
  });
  it('leave out the one that is spoken already, whatever its region', () => {
    expect(found('es-MX').get('es')?.lack).toBe('same');
  });
  it('are judged by all that may be heard where nobody knows what is spoken', () => {
    expect(found(null).get('es')?.lack).toBeNull();
    expect(found(null).get('ca')?.lack).toBe('translator');
  });
  it('need nobody who hears where the text is given', () => {
    expect(found(null, true).get('ca')?.lack).toBeNull();
  });
  it('stand with those that are ready first', () => {
    const lacks = targetChoices(HERE, ENGINES, 'en').map((one) => one.lack === null);
    expect(lacks.indexOf(false)).toBe(lacks.lastIndexOf(true) + 1);
  });
});

describe('languages that are spoken', () => {
  it('are heard only where somebody recognises them by ear', () => {
    const heard = spokenChoices(HERE, ENGINES).filter((one) => one.isHeard);
    expect(heard.map((one) => one.tag)).toEqual(['en']);
  });
  it('are all heard by an engine that knows any', () => {
    const any = { ...HERE, recognised: [{ engine: 'deepgram', languages: null }] };
    expect(spokenChoices(any, ENGINES).every((one) => one.isHeard)).toBe(true);
  });
});

describe('a search', () => {
  const choices = [language('es', 'Spanish'), language('et', 'Estonian'), language('de', 'German')];
  const shown = (tag: string): string => ({ es: 'español', et: 'estonio', de: 'alemán' })[tag] ?? tag;
  it.each([
    ['aleman', ['de']],
    ['GERM', ['de']],
    ['deutsch', ['de']],
    ['es', ['es', 'et']],
    ['xx', []],
  ])('for %s finds by any name, without accents, the exact one first', (text, tags) => {
    expect(searched(choices, text, shown).map((one) => one.tag)).toEqual(tags);
  });
  it('for nothing finds all', () => {
    expect(searched(choices, ' ', shown)).toHaveLength(3);
  });
});

describe('names and tags', () => {
  it('of tracks are turned into ours, or into nothing', () => {
    expect(['eng', 'ger', 'pt-BR', 'und', null, 'x!'].map(tagOf)).toEqual([
      'en',
      'de',
      'pt-BR',
      null,
      null,
      null,
    ]);
  });
  it('in their own words are empty where nobody knows them', () => {
    expect([own('fr'), own('qqq'), own('!')]).toEqual(['français', '', '']);
  });
});
