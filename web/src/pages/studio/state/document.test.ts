import { describe, expect, test } from 'vitest';
import * as commands from './commands';
import { docOf, merge } from './document';
import { steps } from './operations';
import { line, transcript } from './sample';

const base = docOf(transcript());
const made = new Set(['L1', 'L2', 'L3']);

describe('merging', () => {
  test('both changed other lines: both stay', () => {
    const mine = commands.set(base, 'L1', { text: 'mine' });
    const theirs = commands.set(base, 'L2', { text: 'theirs' });
    const { doc, clashes } = merge(base, mine, theirs);
    expect(doc.lines.get('L1')!.text).toBe('mine');
    expect(doc.lines.get('L2')!.text).toBe('theirs');
    expect(clashes).toEqual([]);
  });
  test('both changed other fields of one line: both stay', () => {
    const { doc, clashes } = merge(
      base,
      commands.set(base, 'L1', { text: 'mine' }),
      commands.set(base, 'L1', { speaker: 'S2' }),
    );
    expect(doc.lines.get('L1')).toMatchObject({ text: 'mine', speaker: 'S2' });
    expect(clashes).toEqual([]);
  });
  test('both changed the same: theirs stays, and mine is told', () => {
    const { doc, clashes } = merge(
      base,
      commands.set(base, 'L1', { text: 'mine' }),
      commands.set(base, 'L1', { text: 'theirs' }),
    );
    expect(doc.lines.get('L1')!.text).toBe('theirs');
    expect(clashes).toEqual([{ line: 'L1', what: 'text', mine: 'mine', theirs: 'theirs' }]);
  });
  test('the same change twice is no clash: an answer was lost', () => {
    const mine = commands.split(base, 'L1', { at: 0.7 }, 'new');
    expect(merge(base, mine, mine)).toEqual({ doc: mine, clashes: [] });
  });
  test('a line they took out takes my change along, and that is told', () => {
    const { doc, clashes } = merge(
      base,
      commands.set(base, 'L1', { text: 'mine' }),
      commands.remove(base, 'L1'),
    );
    expect(doc.lines.has('L1')).toBe(false);
    expect(clashes[0]).toMatchObject({ line: 'L1', what: 'gone', mine: 'mine' });
  });
  test('a line they changed is not taken out', () => {
    const { doc, clashes } = merge(
      base,
      commands.remove(base, 'L1'),
      commands.set(base, 'L1', { text: 'theirs' }),
    );
    expect(doc.lines.get('L1')!.text).toBe('theirs');
    expect(clashes[0]).toMatchObject({ line: 'L1', what: 'kept' });
  });
  test('times that make no line together are theirs', () => {
    const { doc } = merge(
      base,
      commands.set(base, 'L1', { start: 1.3 }),
      commands.set(base, 'L1', { end: 1.2 }),
    );
    expect(doc.lines.get('L1')).toMatchObject({ start: 0, end: 1.2 });
  });
  test('voices and locks are merged, too', () => {
    const mine = commands.withLock(commands.withVoice(base, 'S1', { pace: 1.2 }), 'L2', true);
    const theirs = commands.withVoice(base, 'S2', { voice: 'anna' });
    const { doc } = merge(base, mine, theirs);
    expect(doc.voices.get('S1')!.pace).toBe(1.2);
    expect(doc.voices.get('S2')!.voice).toBe('anna');
    expect(doc.locked.has('L2')).toBe(true);
  });
});

describe('operations', () => {
  test('only what differs is sent', () => {
    expect(steps(base, commands.set(base, 'L1', { text: 'mine' }), made)).toEqual([
      { about: 'L1', operations: [{ op: 'set', line: 'L1', text: 'mine' }] },
    ]);
    expect(steps(base, base, made)).toEqual([]);
  });
  test('a split is a shorter line and a new one with its own id', () => {
    const all = steps(base, commands.split(base, 'L1', { at: 0.7 }, 'mine-x'), made);
    expect(all.map((one) => one.operations[0]!.op)).toEqual(['set', 'add']);
    expect(all[1]!.operations[0]).toMatchObject({ id: 'mine-x', start: 0.7, text: 'of L1' });
  });
  test('what is taken out comes last, so that its speaker stays known', () => {
    const all = steps(base, commands.join(base, 'L1'), made);
    expect(all.map((one) => one.operations[0]!.op)).toEqual(['set', 'remove']);
  });
  test('a made line comes back by its id and with everything it had', () => {
    const without = commands.remove(base, 'L2');
    const [step] = steps(without, base, made);
    expect(step!.operations).toEqual([
      { op: 'undo', line: 'L2' },
      { op: 'set', line: 'L2', ...base.lines.get('L2') },
    ]);
  });
  test('a line whose original is kept stays kept when it gets words', () => {
    const kept = commands.set(base, 'L1', { keep_original: true });
    const [step] = steps(kept, commands.set(kept, 'L1', { text: 'x', keep_original: true }), made);
    expect(step!.operations[0]).toMatchObject({ text: 'x', keep_original: true });
  });
  test('an added line without words, and words without letters, wait', () => {
    const added = docOf(transcript([line('mine-1', 0)]));
    expect(steps(added, commands.set(added, 'mine-1', { text: '' }), new Set())).toEqual([]);
    expect(steps(base, commands.set(base, 'L1', { text: '...' }), made)).toEqual([]);
    expect(steps(base, commands.set(base, 'L1', { text: '' }), made)).toHaveLength(1);
  });
  test('somebody new may speak', () => {
    const [step] = steps(base, commands.set(base, 'L1', { speaker: 'Narrator' }), made);
    expect(step!.operations[0]).toMatchObject({ speaker: 'Narrator', new_speaker: true });
  });
  test('another voice says its pitch, too', () => {
    const [step] = steps(base, commands.withVoice(base, 'S1', { voice: 'anna' }), made);
    expect(step).toEqual({
      about: 'voice:S1',
      operations: [{ op: 'voice', speaker: 'S1', voice: 'anna', pitch_hz: null }],
    });
  });
});
