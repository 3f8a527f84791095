// Whether the dub would be taken, asked again whenever a choice changes.
import { api, isAborted, problemOf, type ApiProblem } from '../../api';
import type { Draft } from './draft.svelte';
import { refusals, type Place, type Refusal } from './refusals';

/** Milliseconds without a change before the server is asked. */
const CALM = 400;

/** What the page itself knows to be missing. */
export type Missing = 'source' | 'targets' | 'who' | 'statement';

export class Checking {
  /** What the server says to the choices as they are; undefined: nothing against them. */
  problem = $state.raw<ApiProblem>();
  isAsking = $state(false);
  /** The question that had nothing against it. */
  passed = $state<string | null>(null);
  /** Whether somebody wanted to start: from then on it is said what is missing. */
  isPressed = $state(false);
  #draft: () => Draft;

  constructor(draft: () => Draft) {
    this.#draft = draft;
  }

  /** What is asked, as it would be sent; null while there is too little to ask about. */
  readonly question = $derived.by(() => {
    const draft = this.#draft();
    if (!draft.source || !draft.targets.length) return null;
    return JSON.stringify({ sources: [draft.source], targets: draft.targets, wishes: draft.wishes });
  });

  readonly missing = $derived.by((): Missing[] => {
    const draft = this.#draft();
    const lacks: Missing[] = [];
    if (!draft.hasSource) lacks.push('source');
    if (!draft.targets.length) lacks.push('targets');
    if (draft.voices === 'clone' && !draft.consent) {
      if (!draft.who.trim()) lacks.push('who');
      if (draft.statement.trim().length < 10) lacks.push('statement');
    }
    return lacks;
  });

  /** What the server has against it, less what the page asks for anyway. */
  readonly refused = $derived.by((): Refusal[] => {
    if (!this.problem) return [];
    const own = new Set<Place | null>(this.missing);
    return refusals(this.problem, this.#draft().asked).filter(
      (one) =>
        !(one.place !== null && (one.place === 'who' || one.place === 'statement') && own.has(one.place)),
    );
  });

  at(place: Place): Refusal | undefined {
    return this.refused.find((one) => one.place === place);
  }

  /** Ask now. Whether it would be taken. */
  async ask(signal?: AbortSignal): Promise<boolean> {
    const question = this.question;
    if (!question) return false;
    this.isAsking = true;
    try {
      await api.post('/api/v1/checks', { body: JSON.parse(question), ...(signal ? { signal } : {}) });
      if (this.question !== question) return false;
      this.problem = undefined;
      this.passed = question;
      return true;
    } catch (thrown) {
      // A server that is away or busy has nothing against the dub; submitting says so if it stays away.
      const problem = isAborted(thrown) ? undefined : problemOf(thrown);
      if (problem && !problem.isPassing && this.question === question) this.problem = problem;
      return !!problem?.isPassing;
    } finally {
      if (!signal?.aborted) this.isAsking = false;
    }
  }

  /** Whether the choices as they are would be taken. */
  readonly isGood = $derived.by(() => this.question !== null && this.passed === this.question);

  /** What stands in the way, for a list of it: all of it once somebody wanted to start. */
  readonly listed = $derived.by(() => ({
    missing: this.isPressed ? this.missing : [],
    refused: this.isPressed ? this.refused : this.refused.filter((one) => one.place === null),
  }));

  /** Ask after every change while a component lives. */
  follow(): void {
    $effect(() => {
      if (!this.question) {
        this.problem = undefined;
        return;
      }
      const stop = new AbortController();
      const timer = setTimeout(() => void this.ask(stop.signal), CALM);
      return () => {
        clearTimeout(timer);
        stop.abort();
      };
    });
  }
}
