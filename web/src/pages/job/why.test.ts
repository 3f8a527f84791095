import { afterEach, expect, it } from 'vitest';
import en from '../../i18n/en/index';
import es from '../../i18n/es/index';
import { locale } from '../../i18n/index.svelte';
import { whyWords } from './why';

afterEach(() => locale.use('en', en));

it.each([
  ['demucs not installed', 'demucs: no instalado'],
  ['openai needs a key', 'openai: necesita una clave'],
  ['subtitles were given', 'se dieron subtítulos'],
  ['speaks more languages', 'speaks more languages'],
])('%s is said in the language of the reader', (said, words) => {
  locale.use('es', es);
  expect(whyWords(said)).toBe(words);
});
