// The studio of one dub: its text as it is edited, what is chosen, and everything that can be done.
import { connection, problemOf, type ApiProblem } from '../../../api';
import { t } from '../../../i18n/index.svelte';
import * as commands from '../state/commands';
import type { Change, Deed } from '../state/commands';
import { inOrder, type Clash, type Doc, type Fields, type Transcript } from '../state/document';
import { colours, natural } from '../state/names';
import { next, problems, type Measured, type Problem } from '../state/risk';
import { Saving, type Refusal, type SaveState } from '../state/saving';
import { soundsIn, type Sounds } from '../state/shift';
import { UndoStack } from '../state/undo';
import { Deeds } from './deeds';
import { putBack, restore, serverOf } from './server';
import { sessionShelf, shelfOf } from './shelves';
import { shown, type Shown } from './shown';

export class Studio {
  doc = $state.raw<Doc>() as Doc;
  transcript = $state.raw<Transcript>() as Transcript;
  saveState = $state<SaveState>('saved');
  refused = $state.raw<ReadonlyMap<string, Refusal>>(new Map());
  /** Edits of others that went before one's own. */
  clashes = $state.raw<readonly Clash[]>([]);
  sounds = $state.raw<Sounds>({});
  measured = $state.raw<readonly Measured[]>([]);
  edges = $state.raw<readonly number[]>([]);
  /** Seconds of programme. */
  seconds = $state(0);
  selected = $state<string | null>(null);
  canUndo = $state<Deed | null>(null);
  canRedo = $state<Deed | null>(null);
  /** What was done last, for whoever cannot see it. */
  said = $state('');
  readonly deeds = new Deeds(this);
  #saving: Saving;
  #stack = new UndoStack();
  #kept: ReturnType<typeof sessionShelf>;

  constructor(
    readonly job: string,
    transcript: Transcript,
  ) {
    this.#kept = sessionShelf(`studio-undo-${job}`);
    this.#stack.read(this.#kept.read());
    this.#saving = new Saving(transcript, {
      server: serverOf(job),
      shelf: shelfOf(`studio-${job}`),
      pause: (wait) => connection.pause(wait),
      problemOf,
      onchange: () => this.#look(),
      onclash: (clashes) => {
        // Told once everything stands.
        queueMicrotask(() => (this.clashes = [...this.clashes, ...clashes]));
      },
    });
    this.sounds = soundsIn(transcript);
    this.#look();
    this.selected = this.order[0] ?? null;
  }

  readonly order: readonly string[] = $derived.by(() => inOrder(this.doc.lines));
  readonly lines: readonly Shown[] = $derived.by(() => {
    const known = new Map(this.transcript.lines.map((line) => [line.id, line]));
    return this.order.map((id, index) =>
      shown(this.doc, id, {
        known: known.get(id),
        number: index + 1,
        sound: this.sounds[id] ?? null,
        isDirty: this.#saving.isDirty(id),
        isMade: this.#saving.made.has(id),
        refusal: this.refused.get(id)?.problem,
      }),
    );
  });
  readonly byId: ReadonlyMap<string, Shown> = $derived.by(
    () => new Map(this.lines.map((line) => [line.id, line])),
  );
  readonly line: Shown | null = $derived.by(() => (this.selected && this.byId.get(this.selected)) || null);
  readonly problems: readonly Problem[] = $derived.by(() =>
    problems(
      this.lines.map((line) => ({ ...line, timing: line.sound })),
      this.measured,
    ),
  );
  readonly problemOf: ReadonlyMap<string, Problem> = $derived.by(
    () => new Map(this.problems.map((one) => [one.line, one])),
  );
  readonly speakers: readonly string[] = $derived.by(() =>
    [
      ...new Set([
        ...this.transcript.speakers.map((one) => one.name),
        ...[...this.doc.lines.values()].map((one) => one.speaker),
      ]),
    ].sort(natural),
  );
  readonly colours = $derived(colours(this.speakers));
  /** Lines that will be spoken anew, and voices that were changed. */
  readonly changed: number = $derived.by(
    () => this.lines.filter((line) => line.stale || line.isDirty).length + this.#goneLines,
  );
  readonly isStale: boolean = $derived.by(() => this.changed > 0 || this.transcript.stale);

  get #goneLines(): number {
    const sounding = new Set(Object.keys(this.sounds));
    return this.transcript.removed.filter((one) => sounding.has(one.id)).length;
  }

  /** Take over what saving knows. */
  #look(): void {
    if (!this.#saving) return;
    this.doc = this.#saving.doc;
    this.transcript = this.#saving.transcript;
    this.saveState = this.#saving.state;
    this.refused = this.#saving.refused;
    this.#told();
    if (this.selected && !this.doc.lines.has(this.selected)) this.selected = this.order[0] ?? null;
  }
  #told(): void {
    this.canUndo = this.#stack.done.at(-1)?.deed ?? null;
    this.canRedo = this.#stack.undone.at(-1)?.deed ?? null;
    this.#kept.write(this.#stack.text());
  }

  /** Do something to the text. Steps of one `run` are taken back together. */
  do(deed: Deed, act: (doc: Doc) => Doc, run: string | null = null): boolean {
    const after = act(this.doc);
    const change = commands.changeOf(deed, this.doc, after);
    if (!change) return false;
    this.#saving.edit(after);
    this.#stack.push(change, run);
    this.#look();
    return true;
  }
  set(id: string, values: Partial<Fields>, deed: Deed, run: string | null = null): boolean {
    return this.do(deed, (doc) => commands.set(doc, id, values), run);
  }
  apply(change: Change): void {
    this.do(change.deed, (doc) => commands.apply(doc, change));
  }
  /** What is typed from here on is a step of its own. */
  pauseTyping(): void {
    this.#stack.close();
  }

  undo(): void {
    const change = this.#stack.back();
    if (change) this.#redone(commands.inverse(change), 'studio.undone');
  }
  redo(): void {
    const change = this.#stack.again();
    if (change) this.#redone(change, 'studio.redone');
  }
  /** How to take back what was done last, also when more was done since. */
  #back(): () => void {
    const change = this.#stack.done.at(-1);
    return () => {
      if (!change) return;
      if (this.#stack.done.at(-1) === change) this.undo();
      else this.apply(commands.inverse(change));
    };
  }
  /** An offer to take back what was just done. */
  get offer(): { label: string; run: () => void } {
    return { label: t('studio.undo'), run: this.#back() };
  }
  #redone(change: Change, said: 'studio.undone' | 'studio.redone'): void {
    this.#saving.edit(commands.apply(this.doc, change));
    this.#look();
    this.say(t(said, { what: t(`studio.did.${change.deed}`) }));
    const seen = commands.touched(change).find((id) => this.doc.lines.has(id));
    if (seen && !commands.touched(change).includes(this.selected ?? '')) this.selected = seen;
  }

  say(words: string): void {
    this.said = '';
    queueMicrotask(() => (this.said = words));
  }

  /** Choose the line so many further on. */
  step(by: number): void {
    const at = this.selected ? this.order.indexOf(this.selected) : -1;
    const to = Math.max(0, Math.min(this.order.length - 1, at + by));
    this.selected = this.order[to] ?? null;
  }
  nextProblem(by: 1 | -1 = 1): Problem | null {
    const to = next(this.problems, this.selected, by);
    if (!to) {
      this.say(t('studio.noProblems'));
      return null;
    }
    this.selected = to;
    return this.problemOf.get(to) ?? null;
  }

  /** Put one's own words in the place of what somebody else wrote. */
  insist(clash: Clash): void {
    const isField = !['gone', 'kept', 'voice'].includes(clash.what);
    if (isField) this.set(clash.line, { [clash.what]: clash.mine }, 'text');
    else if (clash.what === 'kept') this.do('remove', (doc) => commands.remove(doc, clash.line));
    else if (clash.what === 'voice') this.deeds.voice(clash.line, { voice: String(clash.mine) });
    this.forget(clash);
  }
  forget(clash: Clash): void {
    this.clashes = this.clashes.filter((one) => one !== clash);
  }

  flush = (): Promise<void> => this.#saving.flush();
  retry = (): Promise<void> => this.#saving.retry();
  /** Read the text anew, such as after a dub or an edit of somebody else. */
  reload = (): Promise<void> => this.#saving.reload();
  close(): void {
    void this.#saving.flush();
    this.#saving.close();
  }
  /** Put back a line that was taken out, or an old revision. */
  putBack(line: string): Promise<void> {
    return this.#direct('add', (revision) => putBack(this.job, line, revision));
  }
  restore(number: number): Promise<void> {
    return this.#direct('restore', (revision) => restore(this.job, number, revision));
  }
  async #direct(deed: Deed, act: (revision: number) => Promise<unknown>): Promise<void> {
    const before = this.doc;
    await this.#saving.direct(act);
    const change = commands.changeOf(deed, before, this.#saving.doc);
    if (change) this.#stack.push(change);
    this.#look();
  }
  get refusals(): ApiProblem[] {
    return [...this.refused.values()].map((one) => one.problem);
  }
}
