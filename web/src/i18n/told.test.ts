import { afterEach, describe, expect, it } from 'vitest';
import en from './en/index';
import es from './es/index';
import { locale } from './index.svelte';
import { told, toldLine } from './told';

afterEach(() => locale.use('en', en));
const refusal = { code: 'unsupported_source', message: 'notes.txt is no video.', hint: 'Send another.' };

describe('what the server refuses', () => {
  it('is said as the server says it, in English', () => {
    locale.use('en', en);
    expect(told(refusal)).toEqual({ text: refusal.message, hint: refusal.hint, also: '' });
  });
  it('is said by its code in another language, with the sentence of the server beside', () => {
    locale.use('es', es);
    expect(told(refusal).text).not.toBe(refusal.message);
    expect(told(refusal).hint).toMatch(/^Elige una grabación/);
    expect(told(refusal).also).toBe('notes.txt is no video. Send another.');
    expect(toldLine(refusal)).toMatch(/^Esta fuente .+ notes\.txt is no video\.$/);
  });
  it('has something to do about it wherever it has words', () => {
    const codes = Object.keys(es.common).flatMap((key) => /^refusal\.(.+)/.exec(key)?.[1] ?? []);
    expect(codes.filter((code) => !(`fix.${code}` in es.common))).toEqual([]);
  });
  it('has its own words where every refusal of a kind is alike, and the server‘s for codes nobody knows', () => {
    locale.use('es', es);
    expect(told({ code: 'not_found', message: 'no job 7' }).also).toBe('');
    expect(told({ code: 'new_one', message: 'Something new.' })).toEqual({
      text: 'Something new.',
      hint: '',
      also: '',
      lang: 'en',
    });
  });
});
