import { describe, expect, it } from 'vitest';
import en from './en';
import es from './es';

type Files = Record<string, Record<string, string | Record<string, string>>>;
const LANGUAGES: Record<string, Files> = { en: en as Files, es: es as Files };

const keys = (files: Files): string[] =>
  Object.entries(files).flatMap(([area, file]) => Object.keys(file).map((key) => `${area}.${key}`));
const holes = (text: string | Record<string, string>): string[] => {
  const all = typeof text === 'string' ? text : Object.values(text).join(' ');
  return [...new Set([...all.matchAll(/\{(\w+)\}/g)].map((found) => found[1] ?? ''))].sort();
};

describe('messages', () => {
  it('say the same things in every language', () => {
    expect(keys(LANGUAGES.es!).sort()).toEqual(keys(LANGUAGES.en!).sort());
  });

  it('have the same holes, and the plurals that their language needs', () => {
    for (const [language, files] of Object.entries(LANGUAGES)) {
      const needed = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
      for (const [area, file] of Object.entries(files)) {
        for (const [key, text] of Object.entries(file)) {
          const name = `${language} ${area}.${key}`;
          expect(holes(text), name).toEqual(holes(LANGUAGES.en![area]![key]!));
          if (typeof text !== 'string') {
            expect(Object.keys(text), name).toContain('one');
            expect(Object.keys(text), name).toContain('other');
            expect(needed, name).toEqual(
              expect.arrayContaining(Object.keys(text).filter((one) => one !== 'zero')),
            );
          } else expect(text.trim(), name).not.toBe('');
        }
      }
    }
  });

  it('are all used, and none is missing', () => {
    const sources = Object.entries(
      import.meta.glob('../**/*.{ts,svelte}', { query: '?raw', import: 'default', eager: true }) as Record<
        string,
        string
      >,
    )
      .filter(([path]) => !path.endsWith('.test.ts') && !path.endsWith('.d.ts'))
      .map(([, text]) => text.replace(/^\s*\/\/.*$/gm, ''))
      .join('\n');
    const areas = Object.keys(en).join('|');
    const named = new Set(
      [...sources.matchAll(new RegExp(`['"]((?:${areas})\\.[\\w.-]+)['"]`, 'g'))].map((one) => one[1]!),
    );
    const begun = [...sources.matchAll(new RegExp(`\`((?:${areas})\\.[\\w.-]*)\\$\\{`, 'g'))].map(
      (one) => one[1]!,
    );
    const known = keys(LANGUAGES.en!);
    expect(known.filter((key) => !named.has(key) && !begun.some((start) => key.startsWith(start)))).toEqual(
      [],
    );
    // Other strings may look like keys: events of the server are called `job.started`.
    const asked = [
      ...sources.matchAll(new RegExp(`\\btOr?\\(\\s*['"]((?:${areas})\\.[\\w.-]+)['"]`, 'g')),
    ].map((one) => one[1]!);
    expect(asked.filter((key) => !known.includes(key))).toEqual([]);
  });
});
