// Makes the dub again of what was changed, and tells how the plan moved.
import { api, type Job } from '../../../api';
import { ask, toast } from '../../../design';
import { t } from '../../../i18n/index.svelte';
import type { Desk } from './desk.svelte';
import { regenerate } from './server';
import { sessionShelf } from './shelves';
import { shifts, type Shift, type Sounds } from '../state/shift';

export class Remaking {
  isAsking = $state(false);
  /** How lines sounded before the dub was made again; null where it was not while this tab is open. */
  before = $state.raw<Sounds | null>(null);
  #kept: ReturnType<typeof sessionShelf>;

  constructor(
    readonly desk: Desk,
    readonly put: (job: Job) => void,
  ) {
    this.#kept = sessionShelf(`studio-before-${desk.studio.job}`);
    const text = this.#kept.read();
    if (text) this.before = JSON.parse(text) as Sounds;
  }

  readonly moved: readonly Shift[] | null = $derived.by(() =>
    this.before ? shifts(this.before, this.desk.studio.sounds) : null,
  );

  start = async (): Promise<void> => {
    const { studio } = this.desk;
    if (this.isAsking) return;
    if (!studio.isStale) {
      toast.info(t('studio.regenerateNothing'));
      return;
    }
    this.isAsking = true;
    try {
      await studio.flush();
      if (studio.saveState === 'refused' && !(await this.#anyway())) return;
      const sounds = studio.sounds;
      const job = await regenerate(studio.job, studio.transcript.revision);
      this.before = sounds;
      this.#kept.write(JSON.stringify(sounds));
      this.put(job);
    } catch (thrown) {
      toast.problem(thrown);
    } finally {
      this.isAsking = false;
    }
  };
  #anyway(): Promise<boolean> {
    return ask({
      title: t('studio.someRefused'),
      text: t('studio.someRefusedText'),
      yes: t('studio.regenerateAnyway'),
    });
  }
  stop = async (): Promise<void> => {
    try {
      await api.post('/api/v1/jobs/{job}/cancel', { path: { job: this.desk.studio.job } });
    } catch (thrown) {
      toast.problem(thrown);
    }
  };
  /** The dub is there. */
  done(): void {
    toast.good(t('studio.regenerated'), {
      hint: t('studio.regeneratedHint', { count: this.moved?.length ?? 0 }),
      action: { label: t('studio.seeShift'), run: () => this.desk.open('history') },
    });
  }
}
