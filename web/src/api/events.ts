// A stream of server-sent events that mends itself: what was missed is asked for by its number.
import { connection, patience } from './connection.svelte';
import { ask } from './client';
import { ApiProblem, isAborted } from './problem';

export interface Told {
  /** Its number; null where the stream has none. */
  number: number | null;
  kind: string;
  data: unknown;
}
export interface Following {
  onEvent: (told: Told) => void;
  /** A connection stands: streams without numbers begin anew. */
  onOpen?: () => void;
  /** The server refuses the stream for good. */
  onProblem?: (problem: ApiProblem) => void;
  /** The number of the last event that is known already. */
  after?: number;
}

/** Milliseconds of silence after which a connection is taken for dead: the server says something every 15 s. */
export const SILENCE = 40_000;
/** Milliseconds after which a page that nobody sees gives its connection back: a browser has six for all. */
const UNSEEN = 30_000;

/** Cuts a stream of text into events. */
export class Parser {
  #rest = '';
  #kind = '';
  #id: string | null = null;
  #data: string[] = [];
  /** Milliseconds that the server wants a broken stream to wait; null until it says so. */
  retry: number | null = null;

  /** The events that are whole with this piece. */
  *feed(piece: string): Generator<Told> {
    const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (this.#data.length) {
          const number = this.#id === null ? null : Number(this.#id);
          yield { number, kind: this.#kind || 'message', data: JSON.parse(this.#data.join('\n')) };
        }
        this.#kind = '';
        this.#id = null;
        this.#data = [];
        continue;
      }
      const at = line.indexOf(':');
      const name = at < 0 ? line : line.slice(0, at);
      const value = at < 0 ? '' : line.slice(at + 1).replace(/^ /, '');
      if (name === 'data') this.#data.push(value);
      else if (name === 'event') this.#kind = value;
      else if (name === 'id') this.#id = value;
      else if (name === 'retry') this.retry = Number(value);
    }
  }
}

/** Follow a stream until the function that is given back is called. No event is lost or told twice. */
export function follow(where: string, { onEvent, onOpen, onProblem, after = 0 }: Following): () => void {
  const stop = new AbortController();
  let last = after;
  let current: AbortController | null = null;
  let hidden: ReturnType<typeof setTimeout> | undefined;

  const seen = (): void => {
    clearTimeout(hidden);
    if (document.visibilityState === 'hidden') hidden = setTimeout(() => current?.abort(), UNSEEN);
  };

  async function once(): Promise<void> {
    const own = (current = new AbortController());
    let watch: ReturnType<typeof setTimeout> | undefined;
    const alive = (): void => {
      clearTimeout(watch);
      watch = setTimeout(() => own.abort(), SILENCE);
    };
    const end = (): void => own.abort();
    stop.signal.addEventListener('abort', end);
    window.addEventListener('offline', end);
    try {
      alive();
      const headers: Record<string, string> = { Accept: 'text/event-stream' };
      if (last > 0) headers['Last-Event-ID'] = String(last);
      const answer = await ask(where, { headers, signal: own.signal });
      if (answer.status === 204 || !answer.body) return;
      onOpen?.();
      const reader = answer.body.getReader();
      const decoder = new TextDecoder();
      const parser = new Parser();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        alive();
        for (const told of parser.feed(decoder.decode(value, { stream: true }))) {
          if (stop.signal.aborted) return;
          if (told.number !== null) {
            if (told.number <= last) continue;
            if (told.number > last + 1) return; // a hole: ask again from the last that is known
            last = told.number;
          }
          onEvent(told);
        }
      }
    } finally {
      clearTimeout(watch);
      own.abort();
      stop.signal.removeEventListener('abort', end);
      window.removeEventListener('offline', end);
    }
  }

  async function run(): Promise<void> {
    for (let tries = 0; !stop.signal.aborted; tries++) {
      const began = Date.now();
      try {
        await once();
      } catch (thrown) {
        if (thrown instanceof ApiProblem && !thrown.isPassing) {
          onProblem?.(thrown);
          return;
        }
        if (thrown instanceof TypeError) connection.lost();
        else if (!isAborted(thrown) && !(thrown instanceof ApiProblem)) throw thrown;
      }
      if (stop.signal.aborted) return;
      if (Date.now() - began > 5000) tries = 0;
      await whenSeen();
      await connection.pause(patience(tries), stop.signal).catch(() => undefined);
    }
  }

  /** A page that nobody sees comes back when somebody does. */
  function whenSeen(): Promise<void> {
    if (document.visibilityState !== 'hidden') return Promise.resolve();
    return new Promise((resolve) => {
      const look = (): void => {
        if (document.visibilityState === 'hidden' && !stop.signal.aborted) return;
        document.removeEventListener('visibilitychange', look);
        resolve();
      };
      document.addEventListener('visibilitychange', look);
      stop.signal.addEventListener('abort', look);
    });
  }

  document.addEventListener('visibilitychange', seen);
  seen();
  void run();
  return () => {
    clearTimeout(hidden);
    document.removeEventListener('visibilitychange', seen);
    stop.abort();
  };
}
