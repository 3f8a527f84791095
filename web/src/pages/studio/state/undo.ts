// What was done, to be taken back and done again. Kept for the tab, so that loading the page anew loses no step.
import { type Change } from './commands';
import { isSame } from './document';

const MOST = 300;

export class UndoStack {
  done: Change[] = [];
  undone: Change[] = [];
  /** Whether the next step of the same kind goes on from the last one, as letters of one sentence do. */
  #open: string | null = null;

  /** Remember a change. With `run` steps in a row are one, until `close`: what is typed without leaving the field. */
  push(change: Change, run: string | null = null): void {
    this.undone = [];
    const last = this.done.at(-1);
    if (run !== null && run === this.#open && last) {
      this.done = [...this.done.slice(0, -1), together(last, change)].filter((one) => !isNothing(one));
    } else this.done = [...this.done.slice(1 - MOST), change];
    this.#open = run;
  }
  /** The next step is one of its own. */
  close(): void {
    this.#open = null;
  }

  /** The change to take back; it is done as its inverse. */
  back(): Change | undefined {
    this.close();
    const last = this.done.at(-1);
    if (!last) return undefined;
    this.done = this.done.slice(0, -1);
    this.undone = [...this.undone, last];
    return last;
  }
  /** The change to do again. */
  again(): Change | undefined {
    this.close();
    const next = this.undone.at(-1);
    if (!next) return undefined;
    this.undone = this.undone.slice(0, -1);
    this.done = [...this.done, next];
    return next;
  }

  text(): string {
    return JSON.stringify({ done: this.done.slice(-100), undone: this.undone.slice(-100) });
  }
  read(text: string | null): void {
    try {
      const kept = JSON.parse(text ?? '{}') as Partial<Pick<UndoStack, 'done' | 'undone'>>;
      this.done = Array.isArray(kept.done) ? kept.done : [];
      this.undone = Array.isArray(kept.undone) ? kept.undone : [];
    } catch {
      this.done = this.undone = [];
    }
  }
}

function together(first: Change, second: Change): Change {
  const lines = { ...first.lines };
  for (const [id, { before, after }] of Object.entries(second.lines)) {
    lines[id] = { before: lines[id] ? lines[id].before : before, after };
  }
  const voices = { ...first.voices };
  for (const [name, { before, after }] of Object.entries(second.voices)) {
    voices[name] = { before: voices[name] ? voices[name].before : before, after };
  }
  return { ...first, lines, voices };
}

const isNothing = (change: Change): boolean =>
  !Object.keys(change.voices).length &&
  !Object.keys(change.locks).length &&
  Object.values(change.lines).every(({ before, after }) => isSame(before ?? undefined, after ?? undefined));
