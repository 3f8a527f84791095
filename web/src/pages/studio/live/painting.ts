// Draws the timeline's ruler and the lines on its two lanes: only what is seen, on one canvas.
import { fmt } from '../../../i18n/index.svelte';
import * as geometry from '../state/geometry';
import type { View } from '../state/geometry';

export interface Block {
  id: string;
  start: number;
  end: number;
  /** The speaker's name and number of colour. */
  speaker: string;
  colour: number;
  text: string;
  isStale: boolean;
  isKept: boolean;
  isDoubtful: boolean;
}
export interface Palette {
  speakers: string[];
  text: string;
  faint: string;
  line: string;
  surface: string;
  warn: string;
  accent: string;
}
export interface Scene {
  view: View;
  height: number;
  source: readonly Block[];
  dub: readonly Block[];
  /** Where lines sounded before, to be compared. */
  before: readonly geometry.Span[];
  longest: number;
  selected: string | null;
  hovered: string | null;
  palette: Palette;
  font: string;
}
export const RULER = 22;
/** Pixels from the top to a lane's upper and lower end. */
export function laneOf(lane: 'source' | 'dub', height: number): [number, number] {
  const each = (height - RULER) / 2;
  return lane === 'source' ? [RULER, RULER + each] : [RULER + each, height];
}

export function paint(context: CanvasRenderingContext2D, scene: Scene): void {
  const { view, height, palette } = scene;
  context.clearRect(0, 0, view.width, height);
  context.font = scene.font;
  context.textBaseline = 'middle';
  ruler(context, scene);
  for (const lane of ['source', 'dub'] as const) {
    const [top, bottom] = laneOf(lane, height);
    context.fillStyle = palette.line;
    context.fillRect(0, Math.round(top), view.width, 1);
    const blocks = scene[lane];
    const [from, to] = geometry.seen(view, blocks, scene.longest);
    for (let at = from; at < to; at++) block(context, scene, blocks[at]!, top + 4, bottom - 3);
  }
  ghosts(context, scene);
}

function ruler(context: CanvasRenderingContext2D, { view, palette }: Scene): void {
  const { step, moments } = geometry.ticks(view);
  context.fillStyle = palette.faint;
  context.textAlign = 'left';
  const digits = step < 1 ? 1 : 0;
  for (const moment of moments) {
    const x = Math.round(geometry.xOf(view, moment));
    context.fillRect(x, RULER - 7, 1, 7);
    context.fillText(fmt.timecode(moment, digits), x + 4, RULER / 2 - 1);
  }
}

function block(
  context: CanvasRenderingContext2D,
  scene: Scene,
  one: Block,
  top: number,
  bottom: number,
): void {
  const { view, palette, selected, hovered } = scene;
  const left = geometry.xOf(view, one.start);
  const width = Math.max(2, (one.end - one.start) * view.scale);
  if (left + width < 0 || left > view.width) return;
  const colour = palette.speakers[one.colour - 1] ?? palette.accent;
  const isChosen = one.id === selected;
  context.globalAlpha = one.isKept ? 0.08 : isChosen ? 0.34 : one.id === hovered ? 0.26 : 0.17;
  context.fillStyle = colour;
  context.fillRect(left, top, width - 1, bottom - top);
  context.globalAlpha = 1;
  // The head has the speaker's colour in full; what was changed is striped, what is doubtful has a mark.
  context.fillRect(left, top, width - 1, 3);
  if (isChosen) {
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.strokeRect(left + 1, top + 1, Math.max(1, width - 3), bottom - top - 2);
  }
  if (one.isStale) stripes(context, left, width - 1, bottom, colour);
  if (width < 22) return;
  label(context, scene, one, left, width, top);
}

function label(
  context: CanvasRenderingContext2D,
  { palette, view }: Scene,
  one: Block,
  left: number,
  width: number,
  top: number,
): void {
  // A long line whose beginning is out of sight still says what it is.
  const from = Math.max(left, 0) + 6;
  const room = Math.min(left + width, view.width) - from - 6;
  if (room < 16) return;
  const marks = one.isDoubtful ? '▲ ' : '';
  const words = room > 64 && one.text ? `${marks}${one.speaker} · ${one.text}` : `${marks}${one.speaker}`;
  const shown = cut(context, words, room);
  context.textAlign = 'left';
  // The waveform lies behind it.
  context.globalAlpha = 0.72;
  context.fillStyle = palette.surface;
  context.fillRect(from - 3, top + 5, Math.min(room + 4, context.measureText(shown).width + 6), 15);
  context.globalAlpha = 1;
  context.fillStyle = one.isDoubtful ? palette.warn : palette.text;
  context.fillText(shown, from, top + 12.5);
}

function stripes(
  context: CanvasRenderingContext2D,
  left: number,
  width: number,
  bottom: number,
  colour: string,
): void {
  context.fillStyle = colour;
  const from = Math.max(left, -8 + (left % 8));
  for (let x = from; x < Math.min(left + width, context.canvas.width); x += 8) {
    context.fillRect(x, bottom - 3, Math.min(5, left + width - x), 3);
  }
}

function ghosts(context: CanvasRenderingContext2D, { view, height, before, palette }: Scene): void {
  if (!before.length) return;
  const [top, bottom] = laneOf('dub', height);
  context.strokeStyle = palette.faint;
  context.lineWidth = 1;
  context.setLineDash([4, 3]);
  for (const span of before) {
    if (!geometry.isSeen(view, span)) continue;
    const left = geometry.xOf(view, span.start);
    context.strokeRect(left + 0.5, top + 8.5, (span.end - span.start) * view.scale - 1, bottom - top - 17);
  }
  context.setLineDash([]);
}

const widths = new Map<string, number>();
/** As much of a text as there is room for; a letter's width is measured once. */
function cut(context: CanvasRenderingContext2D, text: string, room: number): string {
  let each = widths.get(context.font);
  if (each === undefined)
    widths.set(context.font, (each = context.measureText('abcdefghijklmnopqrst').width / 20));
  const most = Math.floor(room / each);
  return text.length <= most ? text : `${text.slice(0, Math.max(1, most - 1))}…`;
}
