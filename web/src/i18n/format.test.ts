import { beforeEach, describe, expect, it } from 'vitest';
import en from './en';
import es from './es';
import { best, fmt, isRightToLeft, locale, t, tOr } from './index.svelte';
import type { Messages } from './keys';
import { names } from './names.svelte';

const plain = (text: string): string => text.replace(/[\u00a0\u202f]/g, ' ');
beforeEach(() => locale.use('en', en as Messages));

describe('words', () => {
  it('are put together with what is given, in the right number', () => {
    expect(t('job.events', { count: 0 })).toBe('No events');
    expect(t('job.events', { count: 1 })).toBe('1 event');
    expect(t('job.events', { count: 1234 })).toBe('1,234 events');
    locale.use('es', es as Messages);
    expect(t('job.events', { count: 1 })).toBe('1 evento');
    expect(document.documentElement.lang).toBe('es');
  });
  it('fall back where a key was made at run time', () => {
    expect(tOr('common.problem.nothing_known', 'As the server says')).toBe('As the server says');
  });
  it('are in the first language of the browser that there is', () => {
    expect(best(['fr-FR', 'es-AR', 'en'])).toBe('es');
    expect(best(['fr'])).toBe('en');
    expect([isRightToLeft('ar-EG'), isRightToLeft('es')]).toEqual([true, false]);
  });
});

describe('figures', () => {
  it('of time', () => {
    expect(fmt.timecode(3723.456)).toBe('1:02:03');
    expect(fmt.timecode(59.9996, 3)).toBe('1:00.000');
    expect(fmt.timecode(61.25, 2)).toBe('1:01.25');
    expect(plain(fmt.duration(200))).toBe('3 min 20 sec');
    expect(plain(fmt.duration(7500))).toBe('2 hr 5 min');
    expect(fmt.ago(1000, 1000 + 7200)).toBe('2 hours ago');
    expect(fmt.ago(1000, 1010)).toBe('now');
  });
  it('of size and money', () => {
    expect(plain(fmt.bytes(0))).toBe('0 bytes');
    expect(plain(fmt.bytes(1_540_000))).toBe('1.5 MB');
    expect(fmt.money(0.0123)).toBe('$0.0123');
    expect(fmt.money(12.3)).toBe('$12.30');
    locale.use('es', es as Messages);
    expect(plain(fmt.money(1234.5))).toBe('1234,50 $');
    expect(fmt.language('de')).toBe('alemán');
  });
});

describe('names of languages', () => {
  const none = 'qbx'; // no browser has a name for it
  it('are the server‘s where nobody here knows one, and tags until it has told them', async () => {
    expect(fmt.language(none)).toBe(none);
    expect(fmt.language(`${none}-ES`)).toBe(`${none} (Spain)`);
    await Promise.resolve();
    expect(names.isWanted).toBe(true);
    names.tell([{ tag: none, name: 'Queblish' }]);
    expect(fmt.language(none)).toBe('Queblish');
    expect(fmt.language(`${none}-ES`)).toBe('Queblish (Spain)');
  });
  it('are our own before those', () => {
    const common = { ...es.common, [`language.${none}`]: 'queblés' };
    locale.use('es', { ...es, common } as Messages);
    names.tell([{ tag: none, name: 'Queblish' }]);
    expect(fmt.language(none)).toBe('queblés');
  });
});
