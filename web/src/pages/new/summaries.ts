// What is chosen, in a few words, for sections that are folded up.
import { fmt, t } from '../../i18n/index.svelte';
import type { Draft } from './draft.svelte';

const joined = (parts: (string | false | null | undefined)[], otherwise: string): string =>
  parts.filter(Boolean).join(' · ') || otherwise;

export const summaries = {
  range: ({ range }: Draft): string =>
    range.start === null && range.end === null
      ? t('newdub.whole')
      : `${fmt.timecode(range.start ?? 0)} – ${range.end === null ? t('newdub.atEnd') : fmt.timecode(range.end)}`,
  voices: ({ voices }: Draft): string => t(`newdub.voice.${voices}`),
  subtitles: (draft: Draft): string =>
    joined(
      [
        draft.subtitles?.name,
        draft.captions && !draft.subtitles && t('newdub.captions'),
        draft.speakers && t('newdub.speakersOf', { count: Number(draft.speakers) }),
      ],
      t('newdub.none'),
    ),
  wording: (draft: Draft): string =>
    joined(
      [
        draft.glossary && t('newdub.glossary'),
        draft.tone.trim(),
        draft.formality && t(`newdub.address.${draft.formality}`),
        draft.terms.trim() && t('newdub.termsShort'),
        draft.instructions.trim() && t('newdub.instructionsShort'),
      ],
      t('newdub.usual'),
    ),
  sound: (draft: Draft): string =>
    joined(
      [draft.keepOriginal && t('newdub.keepOriginalShort'), draft.loudness && `${draft.loudness} LUFS`],
      t('newdub.usual'),
    ),
  engines: (draft: Draft): string => joined(Object.values(draft.engines), t('newdub.automatic')),
  after: (draft: Draft): string =>
    joined(
      [
        draft.title.trim(),
        draft.budget.trim() && t('newdub.budgetOf', { money: draft.budget.trim() }),
        draft.priority === '5' && t('newdub.priorityHigh'),
        draft.priority === '-5' && t('newdub.priorityLow'),
        draft.retention === '0' && t('newdub.forever'),
        Number(draft.retention) > 0 && t('newdub.days', { count: Number(draft.retention) }),
      ],
      t('newdub.usual'),
    ),
};
