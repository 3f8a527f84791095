// How a wording fits while it is typed, and the other wordings there are: as the server foresees it, or guessed here.
import { api, isAborted, problemOf, type Schemas } from '../../../api';
import type { Line } from '../state/document';
import { isWhole } from '../state/operations';
import type { Shown } from './shown';
import { guess, tempo, wordOf, type FitWord } from '../state/predict';
import { rateOf } from '../state/risk';

export type Fit = Schemas['FitShape'];
export interface Foreseen {
  /** How long it would sound. */
  seconds: number;
  rate: number;
  /** How it fits. */
  word: FitWord;
  /** Whether it was guessed here, because the server cannot tell. */
  isGuess: boolean;
}
/** Older servers tell nothing: then nobody asks again. */
let isTold = true;

export const foreseen = (fit: Fit): Foreseen => ({
  seconds: fit.end - fit.start,
  rate: fit.rate,
  word: wordOf(
    fit.rate,
    fit.flags.map((one) => one.flag),
  ),
  isGuess: false,
});
/** How a line is heard, where it is heard as it stands. */
function heard(line: Shown, text: string): Foreseen | null {
  if (!line.sound || line.stale || text !== line.text) return null;
  const { start, end, flags } = line.sound;
  const rate = rateOf(line.sound);
  return { seconds: end - start, rate, word: wordOf(rate, flags), isGuess: false };
}

export class Fitting {
  fit = $state.raw<Foreseen | null>(null);
  /** Whether something better than `fit` is on its way. */
  isAsking = $state(false);
  wordings = $state.raw<readonly Fit[]>([]);
  isLoading = $state(false);
  #asked = '';
  #line = '';
  #guess: () => void = () => undefined;
  #stop: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #loaded = '';
  #loading: AbortController | undefined;
  #later: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly job: string) {}

  /**
   * Foresee how a text would fit a line. Until the server has answered what was known of the line stays; only what
   * the server cannot tell is guessed.
   */
  foresee(line: Shown, text: string, lines: readonly Line[]): void {
    const { id, start, end, speaker } = line;
    const asked = JSON.stringify([id, start, end, speaker, text, line.isKnown, line.isDirty]);
    if (asked === this.#asked) return;
    this.#asked = asked;
    this.#end();
    const known = heard(line, text);
    if (known) this.fit = known;
    else if (id !== this.#line) this.fit = null;
    this.#line = id;
    this.#guess = (): void => {
      const guessed = guess(text, tempo(lines, speaker), end - start);
      this.fit = guessed && { ...guessed, word: wordOf(guessed.rate), isGuess: true };
    };
    // A line that the server does not have yet it cannot foresee.
    this.isAsking = isTold && !!text && isWhole(line, true) && line.isKnown;
    if (this.isAsking) this.#timer = setTimeout(() => void this.#ask(line.id, text), 180);
    else if (!known) this.#guess();
  }
  async #ask(line: string, text: string): Promise<void> {
    const { signal } = (this.#stop = new AbortController());
    try {
      const found = await api.post('/api/v1/jobs/{job}/lines/{line}/fit', {
        path: { job: this.job, line },
        body: { text },
        signal,
      });
      this.fit = foreseen(found.fit);
      this.isAsking = false;
    } catch (thrown) {
      if (signal.aborted) return;
      this.isAsking = false;
      this.#guess();
      this.#failed(thrown);
    }
  }
  /** The wordings that a line could have, once somebody stays with it. */
  load(line: Shown): void {
    clearTimeout(this.#later);
    this.#loading?.abort();
    if (line.id !== this.#loaded) this.wordings = [];
    this.#loaded = line.id;
    this.isLoading = isTold && line.isKnown;
    if (this.isLoading) this.#later = setTimeout(() => void this.#load(line.id), 180);
  }
  async #load(line: string): Promise<void> {
    const { signal } = (this.#loading = new AbortController());
    try {
      const found = await api.get('/api/v1/jobs/{job}/lines/{line}/wordings', {
        path: { job: this.job, line },
        signal,
      });
      this.wordings = found.wordings;
      this.isLoading = false;
    } catch (thrown) {
      if (!signal.aborted) this.isLoading = false;
      this.#failed(thrown);
    }
  }
  /** What cannot be foreseen stays guessed: a line that is not saved yet, a server that does not know the way. */
  #failed(thrown: unknown): void {
    if (isAborted(thrown)) return;
    const { status } = problemOf(thrown);
    if ([404, 405, 501].includes(status)) isTold = false;
  }
  #end(): void {
    clearTimeout(this.#timer);
    this.#stop?.abort();
  }
  close(): void {
    this.#end();
    clearTimeout(this.#later);
    this.#loading?.abort();
  }
}
