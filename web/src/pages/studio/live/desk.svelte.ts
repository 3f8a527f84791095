// What is on the desk: the studio's text, the player, what the timeline shows, which panel is open; and what keys do.
import { tick } from 'svelte';
import { t } from '../../../i18n/index.svelte';
import { keep, kept } from '../../../i18n/kept';
import * as geometry from '../state/geometry';
import type { View } from '../state/geometry';
import { rateOf } from '../state/risk';
import type { Act } from '../state/shortcuts';
import { Player, type Side } from './player.svelte';
import type { Shown } from './shown';
import type { Studio } from './studio.svelte';

export type Panel = 'line' | 'problems' | 'find' | 'voices' | 'history';
/** Seconds that are heard in front of a line and after it. */
const ROLL = 0.8;

export class Desk {
  readonly player = new Player();
  view = $state.raw<View>({ scale: 60, left: 0, width: 800 });
  panel = $state<Panel>('line');
  /** Whether the panel is open where there is no room for it beside the list. */
  isPanelOpen = $state(false);
  isHelpOpen = $state(false);
  /** Whether the timeline is shown on a narrow screen. */
  hasTimeline = $state(false);
  isNarrow = $state(false);
  snaps = $state(kept('studio-snap') !== 'off');
  hasLetters = $state(kept('studio-letters') !== 'off');
  /** Where the wording is written, while it is. */
  writing: HTMLTextAreaElement | undefined;
  list: HTMLElement | undefined;
  /** The panel, where it lies over the list. */
  side: HTMLElement | undefined;
  regenerate: () => void = () => undefined;

  constructor(readonly studio: Studio) {}

  get seconds(): number {
    return this.studio.seconds;
  }

  setSnaps(on: boolean): void {
    this.snaps = on;
    keep('studio-snap', on ? null : 'off');
  }
  setLetters(on: boolean): void {
    this.hasLetters = on;
    keep('studio-letters', on ? null : 'off');
  }

  /** Choose a line: it is seen on the timeline, and playback goes there unless it plays. */
  choose(id: string | null, { seeks = true } = {}): void {
    this.studio.selected = id;
    const { line } = this.studio;
    if (!line) return;
    if (seeks && !this.player.isPlaying) this.player.seek(this.spanOf(line, this.player.side).start);
    this.show(line);
  }
  show(span: geometry.Span): void {
    const left = geometry.revealed(this.view, span, this.seconds);
    if (left !== this.view.left) this.view = { ...this.view, left };
  }
  /** Where a line is heard on a side. */
  spanOf(line: Shown, side: Side): geometry.Span {
    return side === 'dub' && line.sound ? line.sound : line;
  }
  hear(side: Side): void {
    const { line } = this.studio;
    if (!line) return;
    const { start, end } = this.spanOf(line, side);
    this.player.hear({ start: start - ROLL, end: Math.min(end + ROLL, this.seconds || end + ROLL) }, side);
  }
  zoom(by: number): void {
    const { view, player } = this;
    const x = geometry.xOf(view, player.time);
    const middle = x > 0 && x < view.width ? x : view.width / 2;
    this.view = geometry.zoomed(view, view.scale * by, middle, this.seconds);
  }
  fit(): void {
    const { line } = this.studio;
    if (!line) return;
    const scale = Math.min(300, (this.view.width * 0.5) / (line.end - line.start));
    const sized = geometry.zoomed(this.view, scale, 0, this.seconds);
    const left = ((line.start + line.end) / 2) * sized.scale - sized.width / 2;
    this.view = { ...sized, left: geometry.clampLeft(left, sized.scale, sized.width, this.seconds) };
  }

  open(panel: Panel): void {
    this.panel = panel;
    this.isPanelOpen = true;
    if (this.isNarrow) void tick().then(() => this.side?.focus());
  }
  async edit(): Promise<void> {
    this.open('line');
    await tick();
    this.writing?.focus();
  }
  leave(): void {
    this.isPanelOpen = false;
    this.list?.focus();
  }

  /** Do what a key stands for. */
  act(act: Act): void {
    const { studio, player } = this;
    const time = player.time;
    switch (act) {
      case 'play':
        return player.toggle();
      case 'hear':
        return this.hear('dub');
      case 'hearSource':
        return this.hear('source');
      case 'loop':
        player.isLooping = !player.isLooping;
        return studio.say(t('studio.loop'));
      case 'swap':
        return player.turn(player.side === 'dub' ? 'source' : 'dub');
      case 'back':
        return player.seek(time - 1);
      case 'forward':
        return player.seek(time + 1);
      case 'next':
      case 'previous':
        return this.step(act === 'next' ? 1 : -1);
      case 'problem':
      case 'problemBack':
        return this.problem(act === 'problem' ? 1 : -1);
      case 'edit':
        return void this.edit();
      case 'split':
        return this.split();
      case 'merge':
        return studio.deeds.merge();
      case 'add':
        if (studio.deeds.add(time)) void this.edit();
        return;
      case 'remove':
        return studio.deeds.remove();
      case 'lock':
        return studio.deeds.lock();
      case 'keep':
        return studio.deeds.keep();
      case 'startHere':
      case 'endHere':
        return this.edgeHere(act === 'startHere' ? 'start' : 'end');
      case 'earlier':
      case 'later':
        return this.nudge(act === 'earlier' ? -0.05 : 0.05);
      case 'undo':
        return studio.undo();
      case 'redo':
        return studio.redo();
      case 'find':
        return this.open('find');
      case 'regenerate':
        return this.regenerate();
      case 'zoomIn':
      case 'zoomOut':
        return this.zoom(act === 'zoomIn' ? 1.4 : 1 / 1.4);
      case 'fit':
        return this.fit();
      case 'help':
        this.isHelpOpen = true;
    }
  }

  step(by: number): void {
    this.studio.step(by);
    this.choose(this.studio.selected);
  }
  problem(by: 1 | -1): void {
    if (!this.studio.nextProblem(by)) return;
    this.choose(this.studio.selected);
    if (!this.isNarrow && this.panel !== 'line') this.panel = 'line';
  }
  /** At the cursor where somebody writes, else at the playhead where it is in the line, else in the middle. */
  split(): void {
    const { line } = this.studio;
    if (!line) return;
    const { writing, player } = this;
    if (writing && document.activeElement === writing) {
      const { selectionStart: caret } = writing;
      this.studio.deeds.split(caret > 0 && caret < writing.value.length ? { caret } : {});
    } else
      this.studio.deeds.split(player.time > line.start && player.time < line.end ? { at: player.time } : {});
  }
  edgeHere(edge: 'start' | 'end'): void {
    const { line } = this.studio;
    if (line) this.studio.set(line.id, { [edge]: this.player.time }, 'times');
  }
  nudge(by: number): void {
    const { line } = this.studio;
    if (!line) return;
    const { start, end } = geometry.dragged(line, 'move', by, this.seconds || Infinity, (moment) => moment);
    this.studio.set(line.id, { start, end }, 'times', `${line.id} nudge`);
  }
  /** Moments that edges snap to: speech, neighbours, the playhead. */
  marks(except: string): number[] {
    if (!this.snaps) return [];
    const own = this.studio.lines
      .filter((line) => line.id !== except)
      .flatMap(({ start, end }) => [start, end]);
    return [...own, ...this.studio.edges, this.player.time];
  }
}

/** How fast a line is heard, as a factor of the voice's pace; null where it is not. */
export const heardRate = (line: Shown): number | null => (line.sound ? rateOf(line.sound) : null);
