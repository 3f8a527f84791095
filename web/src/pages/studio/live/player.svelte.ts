// Plays the original and the dub on one clock: whoever changes sides keeps the place.
import type { Span } from '../state/geometry';

export type Side = 'dub' | 'source';

export class Player {
  side = $state<Side>('dub');
  /** Seconds of programme. */
  time = $state(0);
  isPlaying = $state(false);
  /** Whether the part that is heard begins again at its end. */
  isLooping = $state(false);
  /** The part that is heard; null for everything from here on. */
  part = $state.raw<Span | null>(null);
  speed = $state(1);
  /** Why a side cannot be played. */
  broken = $state.raw<ReadonlySet<Side>>(new Set());
  /** Seconds of the source file in front of the programme. */
  offset = 0;
  /** Seconds of programme; 0 until it is known. */
  limit = 0;
  #media: Partial<Record<Side, HTMLVideoElement>> = {};
  #frame = 0;

  /** Use an element for a side, as long as it is there: `{@attach player.attach('dub')}`. */
  attach =
    (side: Side) =>
    (media: HTMLVideoElement): (() => void) => {
      this.#media[side] = media;
      const ready = (): void => {
        this.broken = new Set([...this.broken].filter((one) => one !== side));
        this.#seek(side, this.time);
        media.playbackRate = this.speed;
        if (this.isPlaying && side === this.side) void this.#start(media);
      };
      const fail = (): void => {
        if (!media.getAttribute('src')) return;
        this.broken = new Set([...this.broken, side]);
        if (side === this.side) this.pause();
      };
      const ended = (): void => {
        if (side === this.side) this.#over();
      };
      media.addEventListener('loadedmetadata', ready);
      media.addEventListener('error', fail);
      media.addEventListener('ended', ended);
      if (media.readyState > 0) ready();
      return () => {
        media.removeEventListener('loadedmetadata', ready);
        media.removeEventListener('error', fail);
        media.removeEventListener('ended', ended);
        media.pause();
        if (this.#media[side] === media) delete this.#media[side];
      };
    };

  toggle(): void {
    if (this.isPlaying) this.pause();
    else this.play();
  }
  /** Play on from here; a part that was heard to its end is over. */
  play(): void {
    if (this.part && (this.time >= this.part.end - 0.01 || this.time < this.part.start)) this.part = null;
    this.#play();
  }
  /** Hear a part from its beginning. */
  hear(part: Span, side: Side = this.side): void {
    this.turn(side);
    this.part = { start: Math.max(0, part.start), end: part.end };
    this.seek(this.part.start, true);
    this.#play();
  }
  pause(): void {
    this.isPlaying = false;
    cancelAnimationFrame(this.#frame);
    const media = this.#media[this.side];
    media?.pause();
  }
  /** Go to a moment. Outside of the part that is heard that part is over, unless it is kept. */
  seek(time: number, keepsPart = false): void {
    this.time = Math.max(0, this.limit ? Math.min(time, this.limit) : time);
    if (!keepsPart && this.part && (time < this.part.start || time >= this.part.end)) this.part = null;
    this.#seek(this.side, this.time);
  }
  /** Hear the other side from the same place. */
  turn(side: Side): void {
    if (side === this.side) return;
    this.#media[this.side]?.pause();
    this.side = side;
    this.#seek(side, this.time);
    if (this.isPlaying) this.#play();
  }
  rate(speed: number): void {
    this.speed = speed;
    for (const media of Object.values(this.#media)) media.playbackRate = speed;
  }

  #seek(side: Side, time: number): void {
    const media = this.#media[side];
    if (media) media.currentTime = time + (side === 'source' ? this.offset : 0);
  }
  #play(): void {
    const media = this.#media[this.side];
    this.isPlaying = true;
    if (media && media.readyState > 0) void this.#start(media);
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(this.#tick);
  }
  async #start(media: HTMLVideoElement): Promise<void> {
    try {
      await media.play();
    } catch {
      // Another press was faster, or the browser wants to be asked by a press: the button shows that it stands still.
      if (media.paused && media === this.#media[this.side]) this.isPlaying = false;
    }
  }
  #tick = (): void => {
    const media = this.#media[this.side];
    if (!this.isPlaying) return;
    if (media && !media.seeking && media.readyState > 1) {
      this.time = Math.max(0, media.currentTime - (this.side === 'source' ? this.offset : 0));
      if (this.part && this.time >= this.part.end) this.#over();
      else if (this.limit && this.time >= this.limit) this.#over();
    }
    if (this.isPlaying) this.#frame = requestAnimationFrame(this.#tick);
  };
  #over(): void {
    if (this.isLooping && this.part) {
      this.seek(this.part.start, true);
      this.#play();
      return;
    }
    const end = this.part?.end ?? this.time;
    this.pause();
    this.time = Math.min(this.time, end);
  }
}
