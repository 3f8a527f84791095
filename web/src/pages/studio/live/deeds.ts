// What is done to the chosen line as a whole, and to voices; what cannot be done says why.
import { toast } from '../../../design';
import { t } from '../../../i18n/index.svelte';
import * as commands from '../state/commands';
import type { Voice } from '../state/document';
import { newId } from '../state/names';
import type { Shown } from './shown';
import type { Studio } from './studio.svelte';

export class Deeds {
  constructor(readonly studio: Studio) {}

  split(cut: commands.Cut): void {
    const { line } = this.studio;
    if (!line || this.#isHeld(line)) return;
    const name = newId(this.studio.doc.lines);
    if (!this.studio.do('split', (doc) => commands.split(doc, line.id, cut, name)))
      toast.info(t('studio.cannotSplit'), { hint: t('studio.cannotSplitHint') });
    else this.studio.say(t('studio.splitDone'));
  }
  merge(): void {
    const { line } = this.studio;
    if (!line) return;
    const heard = (id: string): string | undefined => this.studio.byId.get(id)?.made?.speaker;
    const why = commands.whyNotMerge(this.studio.doc, line.id, heard);
    if (why) toast.info(t('studio.cannotMerge'), { hint: t(`studio.cannotMerge.${why}`) });
    else if (this.studio.do('merge', (doc) => commands.join(doc, line.id)))
      this.studio.say(t('studio.mergeDone'));
  }
  add(at: number): string | null {
    const room = commands.roomAt(this.studio.doc, at, this.studio.seconds || at + 2);
    const speaker = this.studio.line?.speaker ?? this.studio.speakers[0] ?? 'S1';
    const id = newId(this.studio.doc.lines);
    const fields = { ...room, speaker, source: '', text: '', keep_original: false };
    if (!this.studio.do('add', (doc) => commands.add(doc, id, fields))) return null;
    this.studio.selected = id;
    return id;
  }
  remove(): void {
    const { line } = this.studio;
    if (!line || this.#isHeld(line)) return;
    const at = this.studio.order.indexOf(line.id);
    this.studio.do('remove', (doc) => commands.remove(doc, line.id));
    this.studio.selected = this.studio.order[Math.min(at, this.studio.order.length - 1)] ?? null;
    toast.info(t('studio.removed', { line: line.number }), {
      action: this.studio.offer,
    });
  }
  lock(): void {
    const { line } = this.studio;
    if (!line) return;
    const isLocked = !line.isLocked;
    this.studio.do(isLocked ? 'lock' : 'unlock', (doc) => commands.withLock(doc, line.id, isLocked));
    this.studio.say(t(isLocked ? 'studio.lockedNow' : 'studio.unlockedNow', { line: line.number }));
  }
  keep(): void {
    const { line } = this.studio;
    if (line && !this.#isHeld(line)) this.studio.set(line.id, { keep_original: !line.keep_original }, 'keep');
  }
  /** Put back what was made of the line by itself. */
  reset(): void {
    const { line } = this.studio;
    if (!line?.made || this.#isHeld(line)) return;
    const { text, source, speaker, start, end, keep_original } = line.made;
    this.studio.set(line.id, { text, source, speaker, start, end, keep_original }, 'reset');
  }
  voice(speaker: string, values: Partial<Voice>, run: string | null = null): void {
    this.studio.do('voice', (doc) => commands.withVoice(doc, speaker, values), run);
  }
  #isHeld(line: Shown): boolean {
    if (!line.isLocked) return false;
    toast.info(t('studio.isLocked', { line: line.number }), {
      hint: t('studio.isLockedHint'),
      action: { label: t('studio.unlock'), run: () => this.lock() },
    });
    return true;
  }
}
