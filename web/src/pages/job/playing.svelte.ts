// The original and its dub as one recording that can be listened to either way.
export type Which = 'dub' | 'source';
export const RATES = [0.5, 0.75, 1, 1.25, 1.5, 2] as const;
/** Seconds that an arrow key moves. */
export const STEP = 5;

type Element = HTMLMediaElement;

export class Playing {
  which = $state<Which>('dub');
  /** What is seen: the other one until the new one has its picture. */
  seen = $state<Which>('dub');
  /** Seconds of the programme. */
  time = $state(0);
  duration = $state(0);
  isPlaying = $state(false);
  isWaiting = $state(false);
  rate = $state(1);
  volume = $state(1);
  isMuted = $state(false);
  /** Whether there is a picture. */
  hasPicture = $state(false);
  /** Which of the two this browser cannot play. */
  broken = $state<Record<Which, boolean>>({ dub: false, source: false });
  #media: Partial<Record<Which, Element>> = {};
  #frame = 0;

  /** `offset`: seconds of the original's file at which the dub begins; `length`: seconds of the dub, if known. */
  constructor(
    readonly offset: () => number,
    readonly length: () => number = () => 0,
  ) {}

  #from(which: Which): number {
    return which === 'source' ? this.offset() : 0;
  }
  get #now(): Element | undefined {
    return this.#media[this.which];
  }

  /** Take an element; what is given back lets it go. */
  attach(which: Which, element: Element): () => void {
    this.#media[which] = element;
    const stop = new AbortController();
    const on = (name: string, act: () => void): void =>
      element.addEventListener(name, act, { signal: stop.signal });
    const mine = (act: () => void) => () => void (this.which === which && act());
    on('loadedmetadata', () => {
      if (which === 'dub' || !this.duration) this.duration = this.length() || element.duration || 0;
      if (element instanceof HTMLVideoElement && element.videoWidth > 0) this.hasPicture = true;
      element.playbackRate = this.rate;
    });
    on(
      'play',
      mine(() => this.#begin()),
    );
    on(
      'pause',
      mine(() => (this.isPlaying = false)),
    );
    on(
      'ended',
      mine(() => (this.isPlaying = false)),
    );
    on(
      'waiting',
      mine(() => (this.isWaiting = true)),
    );
    for (const name of ['playing', 'canplay', 'seeked'])
      on(
        name,
        mine(() => (this.isWaiting = false)),
      );
    on(
      'seeked',
      mine(() => (this.seen = which)),
    );
    for (const name of ['timeupdate', 'seeking'])
      on(
        name,
        mine(() => this.#look()),
      );
    return () => {
      stop.abort();
      cancelAnimationFrame(this.#frame);
      delete this.#media[which];
    };
  }

  #begin(): void {
    this.isPlaying = true;
    cancelAnimationFrame(this.#frame);
    const follow = (): void => {
      this.#look();
      if (this.isPlaying) this.#frame = requestAnimationFrame(follow);
    };
    follow();
  }
  #look(): void {
    const element = this.#now;
    if (!element) return;
    this.time = Math.max(0, element.currentTime - this.#from(this.which));
    // The original's file may go on after the part that was dubbed.
    if (this.duration && this.time >= this.duration && !element.paused) element.pause();
  }

  play(): void {
    const element = this.#now;
    if (!element) return;
    if (this.duration && this.time >= this.duration - 0.05) this.seek(0);
    // A browser that lets nothing play by itself leaves it paused, which the buttons show.
    element.play().catch(() => (this.isPlaying = false));
  }
  pause(): void {
    this.#now?.pause();
  }
  toggle(): void {
    if (this.isPlaying) this.pause();
    else this.play();
  }
  seek(seconds: number): void {
    const element = this.#now;
    if (!element) return;
    this.time = Math.min(Math.max(0, seconds), this.duration || seconds);
    element.currentTime = this.time + this.#from(this.which);
  }
  skip(seconds: number): void {
    this.seek(this.time + seconds);
  }

  /** Go on with the other one, at the same place. */
  choose(which: Which): void {
    const before = this.#now;
    const after = this.#media[which];
    if (which === this.which || !after || this.broken[which]) return;
    const wasPlaying = before ? !before.paused && !before.ended : false;
    const time = before ? Math.max(0, before.currentTime - this.#from(this.which)) : this.time;
    before?.pause();
    this.which = which;
    this.isPlaying = false;
    after.playbackRate = this.rate;
    after.volume = this.volume;
    after.muted = this.isMuted;
    this.seek(time);
    if (after.readyState === 0) {
      this.isWaiting = true;
      after.preload = 'auto';
    }
    if (wasPlaying) this.play();
  }
  other(): void {
    this.choose(this.which === 'dub' ? 'source' : 'dub');
  }

  setRate(rate: number): void {
    this.rate = rate;
    for (const element of Object.values(this.#media)) element.playbackRate = rate;
  }
  setVolume(volume: number, isMuted = false): void {
    this.volume = volume;
    this.isMuted = isMuted;
    const element = this.#now;
    if (!element) return;
    element.volume = volume;
    element.muted = isMuted;
  }
  fail(which: Which): void {
    this.broken[which] = true;
    if (this.which === which) this.isWaiting = false;
  }
  mend(which: Which): void {
    this.broken[which] = false;
  }
}

/** Whether a key pressed there is meant for something else than the player. */
export function isTaken(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return true;
  const at = event.target as HTMLElement;
  if (at.closest('dialog, [role=menu], [role=tablist], select, textarea')) return true;
  // Whoever has just chosen Original or Dub has the focus on a radio: it takes the arrows, and nothing else.
  const isRadio = at.matches('input[type=radio]');
  if (!isRadio && at.closest('input:not([type=range])')) return true;
  if (event.key === ' ') return !isRadio && !!at.closest('button, a, summary, input, [role=button]');
  if (event.key.startsWith('Arrow'))
    return isRadio || !!at.closest('input[type=range]:not([data-place]), [data-scrolls]');
  return false;
}
