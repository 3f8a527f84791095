// A line as the studio shows it: what is written, what the server knows of it, and how it sounds in the dub.
import type { ApiProblem } from '../../../api';
import { toldLine } from '../../../i18n/told';
import type { Doc, Line } from '../state/document';
import type { Sound } from '../state/shift';

export interface Shown extends Line {
  /** From 1, in order of time. */
  number: number;
  /** Where it sounds in the dub as it is. */
  sound: Sound | null;
  /** Whether the server does not have it yet. */
  isDirty: boolean;
  /** Whether the server has it at all. */
  isKnown: boolean;
  isLocked: boolean;
  refusal: string | undefined;
}
interface Beside {
  /** As the server has it. */
  known: Line | undefined;
  number: number;
  sound: Sound | null;
  isDirty: boolean;
  /** Whether the dub was made with a line of this name. */
  isMade: boolean;
  refusal: ApiProblem | undefined;
}

export function shown(doc: Doc, id: string, beside: Beside): Shown {
  const { known, number, sound, isDirty, isMade, refusal } = beside;
  return {
    id,
    note: known?.note ?? '',
    timing: known?.timing ?? null,
    edited: known?.edited ?? true,
    added: known ? known.added : !isMade,
    locked: known?.locked ?? null,
    made: known?.made ?? null,
    ...doc.lines.get(id)!,
    stale: isDirty || (known?.stale ?? true),
    number,
    sound,
    isDirty,
    isKnown: !!known,
    isLocked: doc.locked.has(id),
    refusal: refusal && toldLine(refusal),
  };
}
