import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ApiProblem } from '../../../api/problem';
import * as commands from './commands';
import type { Clash } from './document';
import { FakeServer } from './sample';
import { CALM, Saving, type Saver } from './saving';

const old = (): ApiProblem => new ApiProblem(412, 'old_revision', 'old');
const away = (): ApiProblem => new ApiProblem(0, 'away', 'away');

let server: FakeServer;
let kept: string | null;
let clashes: Clash[];
let wake: () => void;
function saver(): Saver {
  return {
    server,
    shelf: { read: () => kept, write: (text) => (kept = text) },
    pause: () => new Promise((resolve) => (wake = resolve)),
    problemOf: (thrown) =>
      thrown instanceof ApiProblem ? thrown : new ApiProblem(0, 'page', String(thrown)),
    onchange: () => undefined,
    onclash: (found) => clashes.push(...found),
  };
}
const open = (): Saving => new Saving(structuredClone(server.now), saver());
const say = (saving: Saving, id: string, text: string): void =>
  saving.edit(commands.set(saving.doc, id, { text }));
const said = (id: string): string | undefined => server.now.lines.find((one) => one.id === id)?.text;

beforeEach(() => {
  vi.useFakeTimers();
  server = new FakeServer();
  server.old = old;
  kept = null;
  clashes = [];
});
afterEach(() => vi.useRealTimers());

describe('saving', () => {
  test('what is typed in a row is one request, and clean afterwards', async () => {
    const saving = open();
    for (const text of ['a', 'ab', 'abc']) say(saving, 'L1', text);
    expect(saving.state).toBe('waiting');
    expect(kept).toContain('abc');
    await vi.advanceTimersByTimeAsync(CALM);
    expect(server.asked).toHaveLength(1);
    expect(said('L1')).toBe('abc');
    expect(saving.state).toBe('saved');
    expect(saving.isClean).toBe(true);
    expect(kept).toBeNull();
  });
  test('back to what was there before it was sent: nothing is sent', async () => {
    const saving = open();
    say(saving, 'L1', 'a');
    say(saving, 'L1', 'words of L1');
    await vi.runAllTimersAsync();
    expect(server.asked).toEqual([]);
    expect(saving.state).toBe('saved');
  });
  test('what is typed while an answer is awaited is not lost', async () => {
    const saving = open();
    const patch = server.patch;
    server.patch = (operations, revision) => {
      server.patch = patch;
      say(saving, 'L1', 'newer');
      say(saving, 'L2', 'other');
      return patch(operations, revision);
    };
    say(saving, 'L1', 'a');
    await saving.flush();
    await vi.runAllTimersAsync();
    expect(saving.doc.lines.get('L1')!.text).toBe('newer');
    expect(said('L1')).toBe('newer');
    expect(said('L2')).toBe('other');
  });
  test('while the server is away it is tried again until it is there', async () => {
    server.away = away;
    const saving = open();
    say(saving, 'L1', 'a');
    await vi.advanceTimersByTimeAsync(CALM);
    expect(saving.state).toBe('away');
    server.away = null;
    wake();
    await vi.runAllTimersAsync();
    expect(said('L1')).toBe('a');
    expect(saving.state).toBe('saved');
  });
  test('an answer that was lost is no clash, and nothing is done twice', async () => {
    const saving = open();
    server.losesAnswer = true;
    const lost = new ApiProblem(502, 'unknown', 'lost');
    const problem = saver();
    void problem;
    const act = server.do.bind(server);
    server.do = (operations) =>
      act(operations).catch(() => {
        throw lost;
      });
    saving.edit(commands.split(saving.doc, 'L1', { at: 0.7 }, 'mine-x'));
    await vi.advanceTimersByTimeAsync(CALM);
    wake();
    await vi.runAllTimersAsync();
    expect(server.now.lines.filter((one) => one.id === 'mine-x')).toHaveLength(1);
    expect(clashes).toEqual([]);
    expect(saving.state).toBe('saved');
  });
});

describe('others', () => {
  test('their revision is read, and mine is put on it', async () => {
    const saving = open();
    await server.do([{ op: 'set', line: 'L2', text: 'theirs' }] as never);
    say(saving, 'L1', 'mine');
    await vi.advanceTimersByTimeAsync(CALM);
    expect(said('L1')).toBe('mine');
    expect(saving.doc.lines.get('L2')!.text).toBe('theirs');
    expect(clashes).toEqual([]);
  });
  test('where both changed the same, theirs stays and it is told', async () => {
    const saving = open();
    await server.do([{ op: 'set', line: 'L1', text: 'theirs' }] as never);
    say(saving, 'L1', 'mine');
    await vi.advanceTimersByTimeAsync(CALM);
    expect(said('L1')).toBe('theirs');
    expect(saving.doc.lines.get('L1')!.text).toBe('theirs');
    expect(clashes).toEqual([{ line: 'L1', what: 'text', mine: 'mine', theirs: 'theirs' }]);
  });
});

describe('refusals', () => {
  const refuse = (): void => {
    server.refuse = (one) =>
      one.op === 'set' && one.text === 'bad' ? new ApiProblem(403, 'content', 'not that') : null;
  };
  test('one line that is not taken does not hold up the others', async () => {
    refuse();
    const saving = open();
    say(saving, 'L1', 'bad');
    say(saving, 'L2', 'good');
    await vi.advanceTimersByTimeAsync(CALM);
    expect(said('L2')).toBe('good');
    expect(said('L1')).toBe('words of L1');
    expect(saving.state).toBe('refused');
    expect(saving.refused.get('L1')!.problem.message).toBe('not that');
    expect(saving.doc.lines.get('L1')!.text).toBe('bad');
    expect(kept).toContain('bad');
  });
  test('it is not sent again until it is another', async () => {
    refuse();
    const saving = open();
    say(saving, 'L1', 'bad');
    await vi.advanceTimersByTimeAsync(CALM);
    const asked = server.asked.length;
    say(saving, 'L2', 'good');
    await vi.advanceTimersByTimeAsync(CALM);
    expect(server.asked).toHaveLength(asked + 1);
    say(saving, 'L1', 'better');
    await vi.advanceTimersByTimeAsync(CALM);
    expect(said('L1')).toBe('better');
    expect(saving.state).toBe('saved');
    expect(saving.refused.size).toBe(0);
  });
  test('without a session it stays here', async () => {
    server.refuse = () => new ApiProblem(401, 'unauthorized', 'who');
    const saving = open();
    say(saving, 'L1', 'mine');
    await vi.advanceTimersByTimeAsync(CALM);
    expect(saving.state).toBe('refused');
    expect(kept).toContain('mine');
  });
});

describe('closing the tab', () => {
  test('what was not sent is there again, and is sent', async () => {
    server.away = away;
    const first = open();
    say(first, 'L1', 'mine');
    first.edit(commands.withVoice(first.doc, 'S1', { pace: 1.3 }));
    first.edit(commands.split(first.doc, 'L2', { at: 2.7 }, 'mine-x'));
    first.edit(commands.remove(first.doc, 'L3'));
    first.close();
    server.away = null;
    const second = open();
    expect(second.doc).toEqual(first.doc);
    await vi.runAllTimersAsync();
    expect(said('L1')).toBe('mine');
    expect(server.now.lines.map((one) => one.id)).toEqual(['L1', 'L2', 'mine-x']);
    expect(server.now.speakers[0]!.voice!.pace).toBe(1.3);
    expect(kept).toBeNull();
  });
  test('somebody changed the same line meanwhile: that is told', async () => {
    server.away = away;
    const first = open();
    say(first, 'L1', 'mine');
    first.close();
    server.away = null;
    await server.do([{ op: 'set', line: 'L1', text: 'theirs' }] as never);
    const second = open();
    expect(second.doc.lines.get('L1')!.text).toBe('theirs');
    expect(clashes).toHaveLength(1);
  });
  test('a broken shelf is an empty one', () => {
    kept = '{"lines":';
    expect(open().isClean).toBe(true);
  });
});

describe('locks', () => {
  test('a line is locked after its change was sent, and unlocked before', async () => {
    const saving = open();
    say(saving, 'L1', 'mine');
    saving.edit(commands.withLock(saving.doc, 'L1', true));
    await vi.runAllTimersAsync();
    expect(said('L1')).toBe('mine');
    expect(server.locks).toEqual(['+L1']);
    saving.edit(commands.withLock(saving.doc, 'L1', false));
    say(saving, 'L1', 'more');
    await vi.runAllTimersAsync();
    expect(server.locks).toEqual(['+L1', '-L1']);
    expect(said('L1')).toBe('more');
    expect(saving.state).toBe('saved');
  });
  test('a lock that is refused is taken back', async () => {
    const saving = open();
    server.lock = () => Promise.reject(new ApiProblem(409, 'conflict', 'taken'));
    saving.edit(commands.withLock(saving.doc, 'L1', true));
    await vi.runAllTimersAsync();
    expect(saving.doc.locked.has('L1')).toBe(false);
    expect(saving.state).toBe('saved');
  });
});
