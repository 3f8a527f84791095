// Which languages a source can be dubbed into here: somebody speaks them and somebody translates into them.
import type { Schemas } from '../../api';

const base = (tag: string): string => tag.split('-')[0] ?? tag;

/** Tags of languages; of a source whose language nobody knows yet, all that any language is translated into. */
export function targets(known: Schemas['LanguagesShape'], spoken: string | null): string[] {
  const into = new Set<string>();
  let isAny = false;
  for (const { pairs } of known.translated) {
    if (!pairs) isAny = true;
    else
      for (const [from, all] of Object.entries(pairs))
        if (!spoken || from === base(spoken)) for (const tag of all) into.add(tag);
  }
  const said = known.spoken.flatMap((one) => one.languages ?? []).map((one) => one.tag);
  return [...new Set(said)].filter((tag) => isAny || into.has(tag) || into.has(base(tag)));
}
