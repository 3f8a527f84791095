// Whether the server can be reached, as everything that talks to it has seen.

class Connection {
  /** Whether the last try found no server. */
  isAway = $state(false);
  /** Since when, milliseconds since 1970; null while the server is there. */
  since = $state<number | null>(null);
  #waiting = new Set<() => void>();

  /** An answer came: whoever waits tries again at once. */
  here(): void {
    if (!this.isAway) return;
    this.isAway = false;
    this.since = null;
    this.wake();
  }

  /** No answer came. */
  lost(): void {
    if (this.isAway) return;
    this.isAway = true;
    this.since = Date.now();
  }

  /** Have everybody who waits try now. */
  wake(): void {
    for (const go of [...this.#waiting]) go();
  }

  /** Wait so long, or until there is a reason to try at once. Throws AbortError when nobody wants it any more. */
  pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const over = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(go);
        signal?.removeEventListener('abort', stop);
      };
      const go = (): void => {
        over();
        resolve();
      };
      const stop = (): void => {
        over();
        reject(new DOMException('not wanted any more', 'AbortError'));
      };
      const timer = setTimeout(go, milliseconds);
      this.#waiting.add(go);
      if (signal?.aborted) stop();
      else signal?.addEventListener('abort', stop);
    });
  }
}

export const connection = new Connection();

/** Milliseconds before the next try, after so many that failed: doubling, with some chance in it. */
export function patience(tries: number, longest = 15_000): number {
  return Math.min(longest, 500 * 2 ** tries) * (0.75 + Math.random() / 2);
}

if (typeof window !== 'undefined') {
  window.addEventListener('online', () => connection.wake());
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') connection.wake();
  });
}
