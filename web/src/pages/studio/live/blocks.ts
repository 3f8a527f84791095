// Lines as the timeline draws them.
import type { Block } from './painting';
import type { Shown } from './shown';
import type { Studio } from './studio.svelte';

function block(studio: Studio, line: Shown, span: { start: number; end: number }): Block {
  return {
    id: line.id,
    start: span.start,
    end: span.end,
    speaker: line.speaker,
    colour: studio.colours.get(line.speaker) ?? 1,
    text: '',
    isStale: line.stale,
    isKept: line.keep_original || !line.text,
    isDoubtful: studio.problemOf.has(line.id),
  };
}

/** Where lines are said in the source. `moved` is one that is being dragged. */
export function sourceBlocks(
  studio: Studio,
  moved: { id: string; start: number; end: number } | null,
): Block[] {
  const found = studio.lines.map((line) => ({
    ...block(studio, line, moved?.id === line.id ? moved : line),
    text: line.source,
  }));
  return moved ? found.sort((a, b) => a.start - b.start) : found;
}

/** Where lines sound in the dub as it is. */
export function dubBlocks(studio: Studio): Block[] {
  return studio.lines
    .flatMap((line) => (line.sound ? [{ ...block(studio, line, line.sound), text: line.text }] : []))
    .sort((a, b) => a.start - b.start);
}
export const longestOf = (...all: readonly Block[][]): number =>
  all.flat().reduce((most, one) => Math.max(most, one.end - one.start), 0);
