// What is behind a link, asked as soon as it looks like one.
import { api, isAborted, problemOf, type ApiProblem, type Schemas } from '../../api';
import type { Draft } from './draft.svelte';

export type Sight = Schemas['SightShape'];
/** Milliseconds without a key before the server is asked. */
const CALM = 500;

export class Looking {
  isLooking = $state(false);
  /** Why it cannot be looked at. */
  problem = $state.raw<ApiProblem>();
  #draft: () => Draft;
  #kept = new Map<string, Sight>();

  constructor(draft: () => Draft) {
    this.#draft = draft;
  }

  /** What speaks against the link, in words; a server that is busy does not. */
  readonly refused = $derived.by(() => {
    const sight = this.#draft().sight;
    if (sight?.refused) return sight.refused;
    if (!this.problem || this.problem.isPassing) return null;
    const { code, message, hint } = this.problem;
    return { code, message, hint };
  });

  async look(link: string, signal?: AbortSignal): Promise<void> {
    const draft = this.#draft();
    this.problem = undefined;
    this.isLooking = true;
    try {
      const sight =
        this.#kept.get(link) ??
        (await api.post('/api/v1/look', {
          body: { source: link, upload: null },
          ...(signal ? { signal } : {}),
        }));
      this.#kept.set(link, sight);
      if (draft.link === link) draft.sight = sight;
    } catch (thrown) {
      if (isAborted(thrown)) return;
      this.problem = problemOf(thrown);
    }
    this.isLooking = false;
  }

  /** Look after every change of the link while a component lives. */
  follow(): void {
    $effect(() => {
      const { link } = this.#draft();
      this.problem = undefined;
      this.isLooking = false;
      if (!link) return;
      const stop = new AbortController();
      const timer = setTimeout(() => void this.look(link, stop.signal), CALM);
      return () => {
        clearTimeout(timer);
        stop.abort();
        this.#draft().sight = undefined;
      };
    });
  }
}
