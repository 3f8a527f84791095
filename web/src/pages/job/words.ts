// Words for figures and lines of a receipt.
import { fmt, t } from '../../i18n/index.svelte';
import type { Metric, ReceiptLine } from './receipt';

/** A value with its unit; a dash where there is none. */
export function figure(value: number | null, unit: string, id = ''): string {
  if (value === null) return '–';
  if (id.startsWith('B1') && value <= -200) return t('job.figure.exact');
  if (unit === 'share') return fmt.percent(value, 1);
  if (unit === 'ratio' || unit === 'r') return fmt.number(value, 2);
  if (['violations', 'lines', 'edges', 'samples'].includes(unit)) return fmt.number(value);
  if (unit === 'ms') return t('job.milliseconds', { value: fmt.number(value) });
  if (unit === 'frames') return t('job.frames', { count: Number(value.toFixed(1)) });
  if (unit.startsWith('dB')) return `${fmt.number(value, 1)} ${unit}`;
  return `${fmt.number(value, 2)} ${unit}`;
}

/** What is asked of a figure: "at least 90 %", and better where that is another bound. */
export function bound(metric: Metric): string {
  if (!metric.sense) return '';
  const bounds = [metric.floor, metric.lead].filter((one) => one !== null);
  const said = [...new Set(bounds.map((one) => figure(one, metric.unit)))];
  if (!said.length) return '';
  const key = metric.sense === 'at least' ? 'job.atLeast' : 'job.atMost';
  const first = t(key, { bound: said[0]! });
  return said[1] ? `${first}, ${t('job.better', { bound: said[1] })}` : first;
}

/** Milliseconds early or late, in words. */
export function lateness(ms: number | null): string {
  if (ms === null) return '–';
  if (Math.abs(ms) < 20) return t('job.onTime');
  const seconds = fmt.number(Math.abs(ms) / 1000, 2);
  return t(ms > 0 ? 'job.late' : 'job.early', { seconds });
}

/** A line of the score for who cannot see it. */
export function lineWords(line: ReceiptLine, index: number): string {
  const [start, end] = line.source_ms.map((ms) => fmt.timecode(ms / 1000));
  const where = t('job.line.where', { number: index + 1, start: start!, end: end!, speaker: line.speaker });
  if (!line.dub_ms) return `${where}, ${t('job.line.silent')}`;
  const pace = line.pace === null ? '' : `, ${t('job.line.pace', { pace: fmt.number(line.pace, 2) })}`;
  return `${where}, ${t('job.line.begins', { when: lateness(line.onset_error_ms) })}${pace}`;
}
