// Sending a file in pieces that can be resumed (tus 1.0), also after the page was closed.
import { api, ask, guarded } from './client';
import { connection, patience } from './connection.svelte';
import { ApiProblem, away, isAborted, problemOf } from './problem';
import type { UploadedFile } from './types';

export type Kind = 'media' | 'subtitles';
export type UploadState = 'waiting' | 'sending' | 'paused' | 'examining' | 'done' | 'failed' | 'cancelled';

/** Bytes sent at a time: small enough for every proxy, large enough to be fast. */
const PIECE = 16 << 20;
/** Seconds over which the speed is measured. */
const WINDOW = 5;
const KEPT = 'autodub.upload ';
const TUS = { 'Tus-Resumable': '1.0.0' };

/** What an unfinished upload of a file is remembered by. */
const fingerprint = (file: File, kind: Kind): string =>
  `${KEPT}${kind} ${file.name} ${file.size} ${file.lastModified}`;

function coded(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

/** One file on its way. `new Upload(file).start()`; everything of it is reactive. */
export class Upload {
  state = $state<UploadState>('waiting');
  /** Bytes that the server has. */
  sent = $state(0);
  /** Bytes a second; null until it is known. */
  speed = $state<number | null>(null);
  problem = $state.raw<ApiProblem>();
  /** What the server found in it, once it is there. */
  result = $state.raw<UploadedFile>();
  readonly size: number;
  readonly name: string;
  readonly fraction = $derived.by(() => (this.size ? this.sent / this.size : 0));
  /** Seconds that are left; null until it is known. */
  readonly remaining = $derived.by(() => (this.speed ? (this.size - this.sent) / this.speed : null));

  #stop: AbortController | undefined;
  #place: string | null = null;
  #samples: [number, number][] = [];

  constructor(
    readonly file: File,
    readonly kind: Kind = 'media',
  ) {
    this.size = file.size;
    this.name = file.name;
  }

  /** Begin, or go on after a pause or a failure. Ends with `done`, `failed`, `paused` or `cancelled`. */
  async start(): Promise<void> {
    if (this.state === 'sending' || this.state === 'examining' || this.state === 'done') return;
    const { signal } = (this.#stop = new AbortController());
    this.state = 'sending';
    this.problem = undefined;
    this.#samples = [];
    this.speed = null;
    try {
      await this.#find(signal);
      for (let tries = 0; this.sent < this.size || this.size === 0;) {
        const before = this.sent;
        try {
          await this.#send(signal);
          tries = 0;
          if (this.size === 0) break;
        } catch (thrown) {
          const problem = thrown instanceof ApiProblem ? thrown : null;
          // 409: it has more or less than we thought; 423: the piece before is still being written.
          const mends = problem && (problem.isPassing || problem.status === 409 || problem.status === 423);
          if (!mends || (tries >= 8 && problem.code !== 'away')) throw thrown;
          if (problem.code === 'away') connection.lost();
          if (this.sent > before) tries = 0;
          await connection.pause(patience(tries++), signal);
          await this.#look(signal);
        }
      }
      this.state = 'examining';
      this.result = await api.get('/api/v1/uploads/{upload}', { path: { upload: this.#id() }, signal });
      this.#forget();
      this.state = 'done';
    } catch (thrown) {
      if (isAborted(thrown) || signal.aborted) return;
      this.problem = problemOf(thrown);
      this.state = 'failed';
      if (!this.problem.isPassing) this.#forget();
    }
  }

  /** Stop for now; `start` goes on. */
  pause(): void {
    if (this.state !== 'sending') return;
    this.state = 'paused';
    this.#stop?.abort();
  }

  /** Give it up, also at the server. */
  async cancel(): Promise<void> {
    if (this.state === 'done') return;
    this.state = 'cancelled';
    this.#stop?.abort();
    const place = this.#place;
    this.#forget();
    // The piece that was on its way may still hold it for a moment. If all fails, the server removes it in a day.
    for (let tries = 0; place && tries < 6; tries++) {
      try {
        await ask(place, { method: 'DELETE', headers: TUS });
        return;
      } catch (thrown) {
        const problem = problemOf(thrown);
        if (problem.status !== 423 && !problem.isPassing) return;
        await connection.pause(patience(tries));
      }
    }
  }

  #id(): string {
    return (this.#place ?? '').split('/').pop() ?? '';
  }
  #forget(): void {
    localStorage.removeItem(fingerprint(this.file, this.kind));
    this.#place = null;
  }

  /** Where it goes on, or where it begins. */
  async #find(signal: AbortSignal): Promise<void> {
    this.#place ??= localStorage.getItem(fingerprint(this.file, this.kind));
    if (this.#place && (await this.#look(signal))) return;
    const named = `filename ${coded(this.name)},kind ${coded(this.kind)}`;
    const headers = { ...TUS, 'Upload-Length': String(this.size), 'Upload-Metadata': named };
    const answer = await ask('/api/v1/uploads', { method: 'POST', headers, signal });
    this.#place = answer.headers.get('Location');
    this.sent = 0;
    localStorage.setItem(fingerprint(this.file, this.kind), this.#place ?? '');
  }

  /** How much has come; whether the server still knows it. */
  async #look(signal: AbortSignal): Promise<boolean> {
    for (let tries = 0; ; tries++) {
      try {
        const answer = await fetch(this.#place ?? '', {
          method: 'HEAD',
          headers: TUS,
          signal,
          credentials: 'same-origin',
        });
        connection.here();
        if (answer.status === 423 || answer.status >= 500) {
          await connection.pause(patience(tries), signal);
          continue;
        }
        if (!answer.ok) {
          this.#forget();
          return false;
        }
        this.sent = Number(answer.headers.get('Upload-Offset'));
        return true;
      } catch (thrown) {
        if (!(thrown instanceof TypeError)) throw thrown;
        connection.lost();
        await connection.pause(patience(tries), signal);
      }
    }
  }

  /** Send the next piece. Only XMLHttpRequest tells how much of a body has gone. */
  #send(signal: AbortSignal): Promise<void> {
    const begin = this.sent;
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      const stop = (): void => request.abort();
      request.open('PATCH', this.#place ?? '');
      const headers = {
        ...TUS,
        ...guarded('PATCH'),
        'Upload-Offset': String(begin),
        'Content-Type': 'application/offset+octet-stream',
      };
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.upload.onprogress = ({ loaded }) => this.#progress(begin + loaded);
      request.onloadend = () => signal.removeEventListener('abort', stop);
      request.onabort = () => reject(new DOMException('stopped', 'AbortError'));
      request.onerror = () => reject(away());
      request.onload = () => {
        connection.here();
        if (request.status === 204) {
          this.#progress(Number(request.getResponseHeader('Upload-Offset')));
          resolve();
        } else reject(refusal(request));
      };
      signal.addEventListener('abort', stop);
      request.send(this.file.slice(begin, begin + PIECE));
    });
  }

  #progress(sent: number): void {
    const now = performance.now() / 1000;
    this.sent = sent;
    this.#samples.push([now, sent]);
    while (this.#samples.length > 2 && now - this.#samples[0]![0] > WINDOW) this.#samples.shift();
    const [then, had] = this.#samples[0]!;
    if (now - then > 0.3) this.speed = (sent - had) / (now - then);
  }
}

function refusal(request: XMLHttpRequest): ApiProblem {
  const named = request.getResponseHeader('X-Request-Id') ?? '';
  try {
    const said = JSON.parse(request.responseText) as { code: string; title: string; hint?: string };
    return new ApiProblem(request.status, said.code, said.title, said.hint ?? '', named);
  } catch {
    return new ApiProblem(
      request.status,
      'unknown',
      request.statusText || `Status ${request.status}`,
      '',
      named,
    );
  }
}
