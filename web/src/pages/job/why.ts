// Why an engine was chosen, in the reader's words where the server's are known: "demucs not installed" and the like.
import { t } from '../../i18n/index.svelte';
import { engineState } from '../../i18n/told';

const OTHER = /^(\S+) (?:is )?(needs (?:a )?key|needs (?:a )?download|not installed)$/;

export function whyWords(said: string): string {
  const other = OTHER.exec(said);
  if (other)
    return t('job.why.other', {
      engine: other[1]!,
      state: engineState(other[2]!.replace(' a ', ' ')).toLocaleLowerCase(),
    });
  return said === 'subtitles were given' ? t('job.why.subtitles') : said;
}
