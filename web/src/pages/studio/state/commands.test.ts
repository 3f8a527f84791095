import { describe, expect, test } from 'vitest';
import * as commands from './commands';
import { docOf, type Doc } from './document';
import { line, transcript } from './sample';
import { UndoStack } from './undo';

const doc = (): Doc => docOf(transcript());
const times = (of: Doc, id: string): number[] => [of.lines.get(id)!.start, of.lines.get(id)!.end];

describe('setting values of a line', () => {
  test('text is kept as one line with single blanks, as the server keeps it', () => {
    expect(commands.set(doc(), 'L1', { text: '  two\n words ' }).lines.get('L1')!.text).toBe('two words');
  });
  test('times are whole milliseconds', () => {
    expect(times(commands.set(doc(), 'L1', { start: 0.12345, end: 1.9999 }), 'L1')).toEqual([0.123, 2]);
  });
  test('a line shorter than a tenth of a second is refused', () => {
    const before = doc();
    expect(commands.set(before, 'L1', { end: 0.05 })).toBe(before);
    expect(commands.set(before, 'L1', { start: -1 })).toBe(before);
  });
  test('a locked line is left alone', () => {
    const before = commands.withLock(doc(), 'L1', true);
    expect(commands.set(before, 'L1', { text: 'other' })).toBe(before);
    expect(commands.remove(before, 'L1')).toBe(before);
  });
  test('words for a line whose original was kept have it spoken', () => {
    const kept = commands.set(doc(), 'L1', { keep_original: true });
    expect(commands.set(kept, 'L1', { text: 'new words' }).lines.get('L1')!.keep_original).toBe(false);
    const both = commands.set(kept, 'L1', { text: 'new words', keep_original: true });
    expect(both.lines.get('L1')!.keep_original).toBe(true);
  });
  test('nothing new is no change', () => {
    const before = doc();
    expect(commands.set(before, 'L1', { text: 'words of L1' })).toBe(before);
    expect(commands.changeOf('text', before, before)).toBeNull();
  });
});

describe('splitting', () => {
  test('at a moment: the words are cut at the blank nearest to it', () => {
    const cut = commands.split(doc(), 'L1', { at: 0.6 }, 'new');
    expect(cut.lines.get('L1')).toMatchObject({ start: 0, end: 0.6, text: 'words' });
    expect(cut.lines.get('new')).toMatchObject({ start: 0.6, end: 1.5, text: 'of L1', speaker: 'S1' });
  });
  test('at a caret: the time is cut where the words are', () => {
    const cut = commands.split(doc(), 'L1', { caret: 5 }, 'new');
    expect(cut.lines.get('L1')!.text).toBe('words');
    expect(cut.lines.get('new')!.text).toBe('of L1');
    expect(cut.lines.get('new')!.start).toBeCloseTo(1.5 * (5 / 11), 3);
  });
  test('what cannot be cut stays whole', () => {
    const one = docOf(transcript([line('L1', 0, { text: 'word' })]));
    expect(commands.split(one, 'L1', { at: 0.7 }, 'new')).toBe(one);
    const before = doc();
    expect(commands.split(before, 'L1', { at: 1.45 }, 'new')).toBe(before);
  });
  test('languages without blanks are cut between characters', () => {
    expect(commands.halves('今日は天気がいい', 0.5)).toEqual(['今日は天', '気がいい']);
    expect(commands.halves('Donaudampfschiff', 0.5)).toEqual(['Donaudampfschiff', '']);
  });
});

describe('joining', () => {
  test('the first line lasts as long as both and says both', () => {
    const joined = commands.join(doc(), 'L1');
    expect(joined.lines.get('L1')).toMatchObject({
      start: 0,
      end: 3.5,
      text: 'words of L1 words of L2',
      source: 'source of L1 source of L2',
    });
    expect(joined.lines.has('L2')).toBe(false);
  });
  test('it is told why lines cannot be joined', () => {
    const heard = (): string => 'S1';
    expect(commands.whyNotMerge(doc(), 'L1', heard)).toBeNull();
    expect(commands.whyNotMerge(doc(), 'L3', heard)).toBe('last');
    expect(commands.whyNotMerge(commands.set(doc(), 'L2', { speaker: 'S2' }), 'L1', heard)).toBe('speakers');
    expect(commands.whyNotMerge(doc(), 'L1', () => 'S2')).toBe('speakers');
    expect(commands.whyNotMerge(commands.withLock(doc(), 'L2', true), 'L1', heard)).toBe('locked');
  });
});

test('a new line takes the silence around a moment', () => {
  expect(commands.roomAt(doc(), 1.7, 60)).toEqual({ start: 1.5, end: 2 });
  expect(commands.roomAt(doc(), 9, 60)).toEqual({ start: 9, end: 11 });
  expect(commands.roomAt(doc(), 59.9, 60)).toEqual({ start: 59.5, end: 60 });
});

describe('taking back', () => {
  const steps: [string, (before: Doc) => Doc][] = [
    ['text', (one) => commands.set(one, 'L1', { text: 'other' })],
    ['times', (one) => commands.set(one, 'L2', { start: 2.2 })],
    ['split', (one) => commands.split(one, 'L1', { at: 0.7 }, 'new')],
    ['merge', (one) => commands.join(one, 'L2')],
    ['remove', (one) => commands.remove(one, 'L3')],
    ['voice', (one) => commands.withVoice(one, 'S1', { pace: 1.2 })],
    ['lock', (one) => commands.withLock(one, 'L1', true)],
  ];
  test.each(steps)('%s: the inverse of a change restores all of it', (_, act) => {
    const before = doc();
    const after = act(before);
    const change = commands.changeOf('text', before, after)!;
    expect(commands.apply(after, commands.inverse(change))).toEqual(before);
    expect(commands.apply(before, change)).toEqual(after);
  });

  test('a walk of random steps back and forth ends where it began', () => {
    let seed = 7;
    const random = (most: number): number => (seed = (seed * 16807) % 2147483647) % most;
    const stack = new UndoStack();
    const first = doc();
    let now = first;
    const past: Doc[] = [];
    for (let step = 0; step < 200; step++) {
      const ids = [...now.lines.keys()];
      const id = ids[random(ids.length)]!;
      const acts = [
        () => commands.set(now, id, { text: `text ${random(50)} and more` }),
        () => commands.split(now, id, {}, `new-${step}`),
        () => (ids.length > 2 ? commands.join(now, id) : now),
        () => (ids.length > 2 ? commands.remove(now, id) : now),
        () => commands.withVoice(now, 'S2', { pace: 0.5 + random(10) / 10 }),
      ];
      const next = acts[random(acts.length)]!();
      const change = commands.changeOf('text', now, next);
      if (!change) continue;
      past.push(now);
      stack.push(change);
      now = next;
    }
    const last = now;
    while (past.length) {
      now = commands.apply(now, commands.inverse(stack.back()!));
      expect(now).toEqual(past.pop());
    }
    for (let change = stack.again(); change; change = stack.again()) now = commands.apply(now, change);
    expect(now).toEqual(last);
  });

  test('what somebody else changed meanwhile is not taken back with it', () => {
    const before = doc();
    const change = commands.changeOf('text', before, commands.set(before, 'L1', { text: 'mine' }))!;
    const theirs = commands.set(commands.apply(before, change), 'L1', { speaker: 'S2' });
    const back = commands.apply(theirs, commands.inverse(change));
    expect(back.lines.get('L1')).toMatchObject({ text: 'words of L1', speaker: 'S2' });
  });
  test('a line that went since is passed over', () => {
    const before = doc();
    const change = commands.changeOf('text', before, commands.set(before, 'L1', { text: 'mine' }))!;
    const gone = commands.remove(before, 'L1');
    expect(commands.apply(gone, commands.inverse(change))).toEqual(gone);
  });
});

describe('the stack', () => {
  const typed = (before: Doc, text: string): [Doc, commands.Change] => {
    const after = commands.set(before, 'L1', { text });
    return [after, commands.changeOf('text', before, after)!];
  };
  test('what is typed without leaving the field is one step', () => {
    const stack = new UndoStack();
    const [one, first] = typed(doc(), 'a');
    const [two, second] = typed(one, 'ab');
    stack.push(first, 'L1 text');
    stack.push(second, 'L1 text');
    expect(stack.done).toHaveLength(1);
    expect(commands.apply(two, commands.inverse(stack.back()!))).toEqual(doc());
  });
  test('after the field was left, the next is a step of its own', () => {
    const stack = new UndoStack();
    const [one, first] = typed(doc(), 'a');
    stack.push(first, 'L1 text');
    stack.close();
    stack.push(typed(one, 'ab')[1], 'L1 text');
    expect(stack.done).toHaveLength(2);
  });
  test('typing back to where it began leaves no step', () => {
    const stack = new UndoStack();
    const [one, first] = typed(doc(), 'a');
    stack.push(first, 'L1 text');
    stack.push(typed(one, 'words of L1')[1], 'L1 text');
    expect(stack.done).toHaveLength(0);
  });
  test('a new step forgets what was undone', () => {
    const stack = new UndoStack();
    stack.push(typed(doc(), 'a')[1]);
    stack.back();
    stack.push(typed(doc(), 'b')[1]);
    expect(stack.again()).toBeUndefined();
  });
  test('it survives as a text, and a broken text is none', () => {
    const stack = new UndoStack();
    stack.push(typed(doc(), 'a')[1]);
    const other = new UndoStack();
    other.read(stack.text());
    expect(other.done).toEqual(stack.done);
    other.read('{');
    expect(other.done).toEqual([]);
  });
});
