// Hearing a stock voice: asked for once, played, and stopped when another one is.
import { connection, isAborted } from '../../api';
import { ask } from '../../api/client';

export interface Heard {
  engine: string | null;
  target: string;
  voice: string;
  pitch_hz?: number | null;
  pace?: number;
}
/** Times the server is asked while it still makes the sound. */
const MOST = 20;

export class Hearing {
  /** Which voice is fetched, and which one sounds. */
  busy = $state('');
  playing = $state('');
  #sounds = new Map<string, string>();
  #audio: HTMLAudioElement | undefined;
  #asking: AbortController | undefined;

  static key = (one: Heard): string =>
    JSON.stringify([one.engine, one.target, one.voice, one.pitch_hz ?? null, one.pace ?? 1]);

  /** Play it, or stop it where it plays. Throws ApiProblem. */
  async toggle(one: Heard): Promise<void> {
    const key = Hearing.key(one);
    const was = this.playing === key || this.busy === key;
    this.stop();
    if (was) return;
    const { signal } = (this.#asking = new AbortController());
    try {
      let address = this.#sounds.get(key);
      if (!address) {
        this.busy = key;
        address = URL.createObjectURL(await this.#fetch(one, signal));
        this.#sounds.set(key, address);
      }
      if (signal.aborted) return;
      const audio = (this.#audio = new Audio(address));
      audio.onended = () => (this.playing = '');
      await audio.play();
      if (!signal.aborted) this.playing = key;
    } catch (thrown) {
      if (!isAborted(thrown)) throw thrown;
    } finally {
      if (this.busy === key) this.busy = '';
    }
  }
  async #fetch(one: Heard, signal: AbortSignal): Promise<Blob> {
    for (let tries = 1; ; tries++) {
      const answer = await ask('/api/v1/voices/preview', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Accept: 'audio/wav, application/json' },
        body: JSON.stringify(one),
        signal,
      });
      if (answer.status === 200) return answer.blob();
      if (tries >= MOST) throw new Error('The voice takes too long to speak.');
      await connection.pause(1000 * Number(answer.headers.get('Retry-After') ?? 1), signal);
    }
  }

  stop(): void {
    this.#asking?.abort();
    this.#audio?.pause();
    this.busy = this.playing = '';
  }
  /** Nobody is here any more. */
  close(): void {
    this.stop();
    for (const address of this.#sounds.values()) URL.revokeObjectURL(address);
    this.#sounds.clear();
  }
}
