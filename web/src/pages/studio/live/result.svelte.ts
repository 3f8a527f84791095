// What belongs to a result, read anew with every result; and what others change while one looks on.
import { untrack } from 'svelte';
import type { JobLive } from '../../../api';
import { toast } from '../../../design';
import { t } from '../../../i18n/index.svelte';
import { toldLine } from '../../../i18n/told';
import { soundsIn } from '../state/shift';
import type { Desk } from './desk.svelte';
import type { Remaking } from './remaking.svelte';
import { peaksOf, reportOf, type Peaks } from './server';

export interface Result {
  /** Names it: another result has another name. */
  readonly made: string;
  readonly source: Peaks | null;
  readonly dub: Peaks | null;
}

/** The result of a job while a component lives. */
export function resultOf(which: () => JobLive, desk: Desk, remaking: Remaking): Result {
  const { studio } = desk;
  let source = $state.raw<Peaks | null>(null);
  let dub = $state.raw<Peaks | null>(null);
  let last = $state('');
  const job = $derived(which().job);
  const isRunning = $derived(job?.state === 'queued' || job?.state === 'processing');

  $effect(() => {
    desk.player.limit = studio.seconds = job?.seconds ?? untrack(() => studio.seconds);
    desk.player.offset = job?.start ?? 0;
  });
  // Results are told apart by the moment at which they were finished.
  const finished = $derived(job && !isRunning ? String(job.finished) : '');
  $effect(() => {
    if (!finished || finished === untrack(() => last)) return;
    const isFirst = untrack(() => last) === '';
    last = finished;
    const stop = new AbortController();
    untrack(() => {
      void renew(stop.signal, isFirst);
      void draw('source', stop.signal);
      void draw('dialogue', stop.signal);
    });
    return () => stop.abort();
  });
  async function renew(signal: AbortSignal, isFirst: boolean): Promise<void> {
    try {
      const [report] = await Promise.all([
        reportOf(studio.job, signal),
        isFirst ? undefined : studio.reload(),
      ]);
      if (signal.aborted) return;
      studio.sounds = report.sounds ?? soundsIn(studio.transcript);
      studio.measured = report.measured;
      studio.edges = report.edges;
      if (!isFirst && job?.state === 'completed') remaking.done();
      else if (!isFirst && job?.state === 'failed')
        toast.show('bad', t('studio.regenerateFailed'), {
          hint: job.error ? toldLine(job.error) : undefined,
        });
    } catch (thrown) {
      if (!signal.aborted) toast.problem(thrown);
    }
  }

  async function draw(track: 'source' | 'dialogue', signal: AbortSignal): Promise<void> {
    if (track === 'source' && source) return;
    const found = await peaksOf(studio.job, track, signal);
    if (signal.aborted || !found) return;
    if (track === 'source') source = found;
    else dub = found;
  }

  // Whoever else edits is seen: their revisions are newer than ours, and locks are no revisions.
  let told = -1;
  $effect(() => {
    const { events } = which();
    const newest = events.at(-1);
    if (!newest) return;
    untrack(() => {
      const first = told < 0 ? (job?.events ?? newest.number) : told;
      told = Math.max(newest.number, first);
      const isNews = events.some(({ kind, number, data }) => {
        if (number <= first) return false;
        const what = kind.replace('job.', '');
        if (what === 'edited') return Number(data.revision) > studio.transcript.revision;
        return what === 'locked' || what === 'unlocked';
      });
      if (isNews && studio.saveState === 'saved') void studio.reload().catch(toast.problem);
    });
  });

  return {
    get made() {
      return last;
    },
    get source() {
      return source;
    },
    get dub() {
      return dub;
    },
  };
}
