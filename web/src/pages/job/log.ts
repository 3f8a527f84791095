// Events as lines of a log, in words.
import type { JobEvent } from '../../api';
import { fmt, locale, t, tOr } from '../../i18n/index.svelte';
import { told } from '../../i18n/told';
import { stageWords } from '../jobs/words';
import { said } from './said';

export const KINDS = ['all', 'stages', 'calls', 'trouble'] as const;
export type Kind = (typeof KINDS)[number];

const BAD = new Set(['job.failed', 'call.failed', 'account.blocked', 'budget.exhausted', 'voices.left']);
const ODD = new Set([
  'degraded',
  'call.retried',
  'job.lost',
  'gate.narrowed',
  'job.handed_back',
  'job.stopping',
]);

/** How much an event matters. */
export function toneOf(event: JobEvent): 'bad' | 'warn' | 'good' | 'plain' {
  if (BAD.has(event.kind)) return 'bad';
  if (ODD.has(event.kind)) return 'warn';
  return event.kind === 'job.completed' ? 'good' : 'plain';
}

function isOf(event: JobEvent, kind: Kind): boolean {
  if (kind === 'stages') return event.kind.startsWith('stage.') || event.kind.startsWith('job.');
  if (kind === 'calls') return event.kind.startsWith('call.') || event.kind.startsWith('gate.');
  return kind === 'all' || ['bad', 'warn'].includes(toneOf(event));
}

/** An event in a sentence. What only the server knows to say stays in its words. */
export function wordsOf(event: JobEvent): string {
  const { data } = event;
  const text = (name: string): string => String(data[name] ?? '');
  const number = (name: string): number => Number(data[name] ?? 0);
  const engine = `${text('role')}.${text('engine')}`;
  switch (event.kind) {
    case 'stage.started':
      return t('job.log.started', { stage: stageWords(event.stage) });
    case 'stage.progress':
      return t('job.log.progress', {
        stage: stageWords(event.stage),
        part: fmt.percent(event.fraction ?? 0),
      });
    case 'stage.finished':
      return t('job.log.finished', {
        stage: stageWords(event.stage),
        seconds: fmt.number(number('seconds'), 1),
      });
    case 'engine.chosen':
      return t('job.log.engine', {
        role: tOr(`common.role.${text('role')}`, text('role')),
        engine: text('engine'),
      });
    case 'call.finished':
      return t(data.kept ? 'job.log.kept' : 'job.log.call', {
        engine,
        verb: text('verb'),
        count: Math.max(1, number('count')),
        seconds: fmt.number(number('seconds'), 2),
        cost: number('dollars') ? fmt.money(number('dollars')) : t('jobs.free'),
      });
    case 'call.retried':
    case 'call.failed':
      return t(event.kind === 'call.failed' ? 'job.log.callFailed' : 'job.log.callRetried', {
        engine,
        verb: text('verb'),
        code: text('code'),
      });
    case 'job.failed':
      // In English the server's sentence, which follows, says it better.
      return locale.language !== 'en' && data.code
        ? t('job.log.failedOf', { why: told({ code: text('code'), message: '' }).text })
        : t('job.log.job.failed');
    case 'degraded':
      return (locale.language === 'en' ? '' : tOr(`job.less.${text('what')}`, '')) || t('job.log.degraded');
    case 'job.edited':
      return t('job.log.edited', { revision: number('revision') });
  }
  return tOr(`job.log.${event.kind}`, event.kind);
}

/** What the server says of it besides, in English where nobody has words for it. */
export function detailOf(event: JobEvent): string {
  // The stage is named, and its message is its name in other words.
  if (event.kind === 'stage.started' || event.kind === 'stage.finished') return '';
  if (event.kind === 'stage.progress') return said(event.message).text;
  const reason = event.kind === 'degraded' ? String(event.data.reason ?? '') : '';
  const hint = event.kind === 'job.failed' ? String(event.data.hint ?? '') : '';
  return [event.message, reason, hint].filter(Boolean).join(' – ');
}

/** Whether that is in English, whatever the reader speaks. */
export const isForeign = (event: JobEvent): boolean =>
  event.kind !== 'stage.progress' || said(event.message).isForeign;

/** Those that are wanted: of a kind, and with all words that are looked for. */
export function filtered(events: readonly JobEvent[], kind: Kind, text: string): readonly JobEvent[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (kind === 'all' && !words.length) return events;
  return events.filter((event) => {
    if (!isOf(event, kind)) return false;
    if (!words.length) return true;
    const line =
      `${event.number} ${event.kind} ${event.stage} ${wordsOf(event)} ${detailOf(event)}`.toLowerCase();
    return words.every((word) => line.includes(word));
  });
}

/** The log as text, to be sent to somebody. */
export function asText(events: readonly JobEvent[]): string {
  return events
    .map((event) => {
      const at = new Date(event.at * 1000).toISOString();
      const line = `${event.number}\t${at}\t${event.kind}\t${event.stage}\t${wordsOf(event)}`;
      const detail = detailOf(event);
      return detail ? `${line}\t${detail}` : line;
    })
    .join('\n');
}
