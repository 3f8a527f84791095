// What a pointer does on the timeline: it chooses, seeks, and drags lines and their edges.
import * as geometry from '../state/geometry';
import type { Grip, Span } from '../state/geometry';
import type { Desk } from './desk.svelte';

export interface Hit {
  time: number;
  /** The line under the pointer. */
  id: string | null;
  /** Null on the ruler. */
  lane: 'source' | 'dub' | null;
}
/** Pixels within which an edge snaps. */
const REACH = 7;

export class Pointing {
  hovered = $state<string | null>(null);
  /** The line that is being dragged, as it would be. */
  moved = $state.raw<({ id: string } & Span) | null>(null);
  #drag: { id: string; grip: Grip; x: number; span: Span; marks: number[]; hasMoved: boolean } | null = null;

  constructor(
    readonly desk: Desk,
    readonly hit: (event: PointerEvent | MouseEvent) => Hit,
  ) {}

  down = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    const { id, lane } = this.hit(event);
    const line = id ? this.desk.studio.byId.get(id) : undefined;
    // A finger scrolls; a line is dragged by a mouse or a pen, once it is chosen.
    if (!line || lane !== 'source' || line.isLocked || event.pointerType === 'touch') return;
    if (id === this.desk.studio.selected) this.begin(event, line.id, 'move');
  };
  begin = (event: PointerEvent, id: string, grip: Grip): void => {
    const line = this.desk.studio.byId.get(id);
    if (!line) return;
    const { start, end } = line;
    const marks = this.desk.marks(id);
    this.#drag = { id, grip, x: event.clientX, span: { start, end }, marks, hasMoved: false };
    (event.target as HTMLElement).setPointerCapture(event.pointerId);
  };
  move = (event: PointerEvent): void => {
    const drag = this.#drag;
    if (!drag) {
      this.hovered = event.pointerType === 'mouse' ? this.hit(event).id : null;
      return;
    }
    const by = event.clientX - drag.x;
    if (!drag.hasMoved && Math.abs(by) < 3) return;
    drag.hasMoved = true;
    const { view, seconds } = this.desk;
    const marks = event.altKey ? [] : drag.marks;
    const to = (moment: number): number => geometry.snap(moment, marks, REACH / view.scale);
    this.moved = { id: drag.id, ...geometry.dragged(drag.span, drag.grip, by / view.scale, seconds, to) };
  };
  up = (event: PointerEvent): void => {
    const { moved } = this;
    const hasMoved = this.#drag?.hasMoved;
    this.#drag = this.moved = null;
    if (event.type === 'pointercancel') return;
    if (hasMoved && moved) {
      this.desk.studio.set(moved.id, { start: moved.start, end: moved.end }, 'times');
      return;
    }
    if (event.button !== 0) return;
    const { time, id } = this.hit(event);
    if (id && id !== this.desk.studio.selected) this.desk.choose(id, { seeks: false });
    this.desk.player.seek(time);
  };
  leave = (): void => {
    this.hovered = null;
  };
  open = (event: MouseEvent): void => {
    if (this.hit(event).id) void this.desk.edit();
  };
}
