// Saves what is edited, at once and by itself: what differs from the server's text is sent, tried again, and kept by
// the browser until the server has it. There is no list of requests: whatever differs is what is still to be sent,
// so a lost answer or another person's edit are both met by reading the text anew.
import type { ApiProblem } from '../../../api';
import {
  answered,
  docOf,
  isSame,
  isSameVoice,
  merge,
  type Clash,
  type Doc,
  type Edited,
  type Transcript,
} from './document';
import { steps, type Operation, type Step } from './operations';
import { isUnsaved, read, write, type Kept, type Shelf } from './shelf';

/** What saving needs of the server. */
export interface Server {
  transcript(): Promise<Transcript>;
  patch(operations: Operation[], revision: number): Promise<Edited>;
  lock(line: string): Promise<void>;
  unlock(line: string): Promise<void>;
}
export interface Saver {
  server: Server;
  shelf: Shelf;
  /** Wait so many milliseconds, or until there is a reason to try at once. */
  pause(milliseconds: number): Promise<void>;
  problemOf(thrown: unknown): ApiProblem;
  /** Something changed: the state below, `doc`, or what the server said. */
  onchange(): void;
  onclash(clashes: Clash[]): void;
}
export type SaveState = 'saved' | 'waiting' | 'saving' | 'away' | 'refused';
/** What the server does not take, and what it was that it did not take. */
export interface Refusal {
  problem: ApiProblem;
  step: string;
}

/** Milliseconds without a change before it is sent. */
export const CALM = 500;

export class Saving {
  transcript: Transcript;
  doc: Doc;
  state: SaveState = 'saved';
  /** By line, or `voice:` and speaker. */
  refused: ReadonlyMap<string, Refusal> = new Map();
  #base: Doc;
  #with: Saver;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | undefined;
  #isOver = false;
  /** Whether the server has a newer revision than this. */
  #isOld = false;

  constructor(transcript: Transcript, given: Saver) {
    this.transcript = transcript;
    this.#with = given;
    this.doc = this.#base = docOf(transcript);
    const kept = read(given.shelf);
    if (kept) this.#takeUp(kept);
  }

  /** Lines that a dub made, also those that were taken out. */
  get made(): ReadonlySet<string> {
    const { lines, removed } = this.transcript;
    return new Set([
      ...lines.filter((line) => line.made).map((line) => line.id),
      ...removed.map((line) => line.id),
    ]);
  }
  /** Whether a line differs from what the server has. */
  isDirty(id: string): boolean {
    return !isSame(this.#base.lines.get(id), this.doc.lines.get(id));
  }
  get isClean(): boolean {
    return !isUnsaved(this.#base, this.doc);
  }

  /** Edit: it is on the shelf at once, and sent when nothing was changed for a moment. */
  edit(doc: Doc): void {
    this.doc = doc;
    this.#keep();
    this.#soon(CALM);
  }

  /** Send what there is now. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return (this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (!this.#isOver && this.#left().length && this.state === 'waiting') this.#soon(CALM);
    }));
  }

  /** Somebody else may have changed something: read it, and put one's own on it. */
  async reload(): Promise<void> {
    await this.#running;
    this.#rebase(await this.#with.server.transcript());
  }

  /** Do something the document cannot say, such as putting back a line nobody here knows; then read it all anew. */
  async direct(act: (revision: number) => Promise<unknown>): Promise<void> {
    await this.flush();
    await act(this.transcript.revision);
    await this.reload();
  }

  /** Try what was refused once more. */
  retry(): Promise<void> {
    this.refused = new Map();
    return this.flush();
  }

  /** Nobody edits here any more. What is unsaved stays on the shelf. */
  close(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #takeUp(kept: Kept): void {
    const theirs = this.#base;
    const base = { ...theirs, lines: new Map(theirs.lines), voices: new Map(theirs.voices) };
    const mine = { ...theirs, lines: new Map(theirs.lines), voices: new Map(theirs.voices) };
    for (const [id, { before, after }] of Object.entries(kept.lines)) {
      if (before) base.lines.set(id, before);
      else base.lines.delete(id);
      if (after) mine.lines.set(id, after);
      else mine.lines.delete(id);
    }
    for (const [name, { before, after }] of Object.entries(kept.voices)) {
      base.voices.set(name, before);
      mine.voices.set(name, after);
    }
    const { doc, clashes } = merge(base, mine, theirs);
    this.doc = doc;
    if (clashes.length) this.#with.onclash(clashes);
    this.#keep();
    this.#soon(0);
  }

  #soon(wait: number): void {
    clearTimeout(this.#timer);
    if (this.#isOver) return;
    this.#set(this.#left().length || this.#locks().length ? 'waiting' : this.#rest());
    if (this.state === 'waiting') this.#timer = setTimeout(() => void this.flush(), wait);
  }
  #rest(): SaveState {
    return this.refused.size || !this.isClean ? 'refused' : 'saved';
  }

  /** Steps that are to be sent: all but those that were refused and are still the same. */
  #left(): Step[] {
    const all = steps(this.#base, this.doc, this.made);
    const open = [...this.refused].filter(([about, { step }]) => {
      const now = all.find((one) => one.about === about);
      return now && JSON.stringify(now.operations) === step;
    });
    if (open.length !== this.refused.size) this.refused = new Map(open);
    return all.filter((one) => !this.refused.has(one.about));
  }
  #locks(): string[] {
    const [was, now] = [this.#base.locked, this.doc.locked];
    return [...new Set([...was, ...now])].filter((id) => was.has(id) !== now.has(id));
  }

  async #run(): Promise<void> {
    for (let tries = 0; !this.#isOver;) {
      const [left, locks] = [this.#left(), this.#locks()];
      if (!left.length && !locks.length) break;
      if (this.state !== 'away') this.#set('saving');
      try {
        if (this.#isOld) this.#rebase(await this.#with.server.transcript());
        else await this.#step(left, locks);
        tries = 0;
        if (this.state === 'away') this.#set('saving');
      } catch (thrown) {
        const problem = this.#with.problemOf(thrown);
        if (problem.code === 'old_revision') this.#isOld = true;
        else if (problem.isPassing) {
          this.#set('away');
          await this.#with.pause(
            problem.after === null ? Math.min(15_000, 500 * 2 ** tries++) : problem.after * 1000,
          );
        } else {
          // Nobody is signed in, the dub is gone, or something is broken: it stays on the shelf.
          this.refused = new Map(this.refused).set('*', { problem, step: '' });
          break;
        }
      }
    }
    this.#keep();
    this.#set(this.#rest());
  }

  /** What may be changed first, then the changes, then what may not be changed any more. */
  async #step(left: Step[], locks: string[]): Promise<void> {
    const { doc } = this;
    for (const id of locks.filter((one) => !doc.locked.has(one))) await this.#lock(id, false);
    if (left.length) await this.#send(left, doc);
    for (const id of locks.filter((one) => doc.locked.has(one))) await this.#lock(id, true);
  }

  async #send(left: Step[], sent: Doc): Promise<void> {
    try {
      const operations = left.flatMap((one) => one.operations);
      this.#saved(left, sent, await this.#with.server.patch(operations, this.transcript.revision));
    } catch (thrown) {
      const problem = this.#with.problemOf(thrown);
      if (problem.isPassing || problem.code === 'old_revision' || problem.status === 401) throw thrown;
      // One of them is not taken, so none is: find out which.
      if (left.length > 1) for (const one of left) await this.#send([one], sent);
      else {
        const [{ about, operations }] = left as [Step];
        this.refused = new Map(this.refused).set(about, { problem, step: JSON.stringify(operations) });
        this.#with.onchange();
      }
    }
  }

  /** The server has taken `steps` of `sent`, as it answers; whatever was edited meanwhile stays on top. */
  #saved(steps: Step[], sent: Doc, answer: Edited): void {
    this.transcript = answered(this.transcript, answer);
    const before = this.#base;
    this.#base = { ...docOf(this.transcript), locked: before.locked };
    const [lines, voices] = [new Map(this.doc.lines), new Map(this.doc.voices)];
    for (const { about } of steps) {
      // What the server made of it, which may be tidier than what it was sent.
      const name = about.replace(/^voice:/, '');
      const voice = this.#base.voices.get(name);
      if (name !== about) {
        if (voice && isSameVoice(voices.get(name), sent.voices.get(name))) voices.set(name, voice);
        continue;
      }
      const line = this.#base.lines.get(about);
      if (line && isSame(lines.get(about), sent.lines.get(about))) lines.set(about, line);
    }
    this.doc = { ...this.doc, lines, voices };
    this.#keep();
    this.#with.onchange();
  }

  #rebase(theirs: Transcript): void {
    this.#isOld = false;
    const base = this.#base;
    this.transcript = theirs;
    this.#base = docOf(theirs);
    const { doc, clashes } = merge(base, this.doc, this.#base);
    this.doc = doc;
    this.#keep();
    this.#with.onchange();
    if (clashes.length) this.#with.onclash(clashes);
  }

  async #lock(id: string, isLocked: boolean): Promise<void> {
    try {
      if (isLocked) await this.#with.server.lock(id);
      else await this.#with.server.unlock(id);
    } catch (thrown) {
      const problem = this.#with.problemOf(thrown);
      if (problem.isPassing || problem.status === 401) throw thrown;
      this.#rebase(await this.#with.server.transcript()); // somebody was faster
      this.#settle(id, this.#base.locked.has(id));
      return;
    }
    const locked = new Set(this.#base.locked);
    if (isLocked) locked.add(id);
    else locked.delete(id);
    this.#base = { ...this.#base, locked };
    this.#with.onchange();
  }
  #settle(id: string, isLocked: boolean): void {
    const locked = new Set(this.doc.locked);
    if (isLocked) locked.add(id);
    else locked.delete(id);
    this.doc = { ...this.doc, locked };
    this.#with.onchange();
  }

  #keep(): void {
    write(this.#with.shelf, this.#base, this.doc);
  }
  #set(state: SaveState): void {
    if (this.state === state) return;
    this.state = state;
    this.#with.onchange();
  }
}
