// What a running stage says of itself, in the reader's words. The server says it in English and in free text; what
// nobody has words for stays as it is.
import { t, type Key } from '../../i18n/index.svelte';

const KNOWN: readonly [RegExp, Key][] = [
  [/^(?<done>\d+) of (?<all>\d+) lines$/, 'job.said.lines'],
  [/^part (?<done>\d+) of (?<all>\d+)$/, 'job.said.part'],
  [/^(?<done>\d+) of (?<all>\d+) (?:pieces|parts) heard$/, 'job.said.pieces'],
  [/^(?<done>\d+) of (?<all>\d+) sentences translated$/, 'job.said.sentences'],
  [/^(?<done>\d+) of (?<all>\d+) windows on \S+$/, 'job.said.windows'],
  [/^looking at the page$/i, 'job.said.page'],
  [/^fetching the sound$/i, 'job.said.fetchingSound'],
  [/^fetching the picture$/i, 'job.said.fetchingPicture'],
  [/^fetching the video$/i, 'job.said.fetchingVideo'],
  [/^joining picture and sound$/i, 'job.said.joining'],
  [/^loading the (?<model>\S+) model$/, 'job.said.loading'],
  [/^sending the sound$/, 'job.said.sending'],
  [/^listening$/, 'job.said.listening'],
  [/^comparing voices$/, 'job.said.comparing'],
  [/^mixing$/, 'job.said.mixing'],
  [/^measuring$/, 'job.said.measuring'],
];

/** The words, and whether they are the server's own. */
export function said(message: string): { text: string; isForeign: boolean } {
  for (const [pattern, key] of KNOWN) {
    const found = pattern.exec(message);
    if (!found) continue;
    const given = Object.entries(found.groups ?? {}).map(([name, value]) => {
      return [name, /^\d+$/.test(value) ? Number(value) : value] as const;
    });
    return { text: t(key, Object.fromEntries(given)), isForeign: false };
  }
  return { text: message, isForeign: true };
}
