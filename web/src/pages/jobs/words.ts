// Words about a dub that several pages say in the same way.
import type { JobRow } from '../../api';
import { fmt, t, tOr } from '../../i18n/index.svelte';

/** What a stage does; a stage nobody has words for is called by its name. */
export const stageWords = (stage: string): string => tOr(`jobs.stage.${stage}`, stage);

/** English to Spanish; "into Spanish" while nobody knows what is spoken. */
export function languageWords(job: Pick<JobRow, 'spoken' | 'target'>): string {
  const to = fmt.language(job.target);
  return job.spoken ? t('jobs.languages', { from: fmt.language(job.spoken), to }) : t('jobs.into', { to });
}

/** What a dub does at this moment, in words; empty once it is over. */
export function doing(job: Pick<JobRow, 'state' | 'stopping' | 'stage'>): string {
  if (job.state === 'queued') return t('jobs.waiting');
  if (job.state !== 'processing') return '';
  if (job.stopping) return t('jobs.stopping');
  return job.stage ? stageWords(job.stage) : '';
}
