// Checks, estimates and submitting, against answers that a server gives.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Checking } from './checking.svelte';
import { Draft } from './draft.svelte';
import { Estimating, priced, together, type Figures } from './estimating.svelte';
import { Submitting } from './submitting.svelte';

const ID = 'b'.repeat(32);
interface Asked {
  method: string;
  path: string;
  body: Record<string, unknown> | null;
  key: string | null;
}
let asked: Asked[];

/** Answer everything with this: status and body, in turn; the last one again and again. */
function serve(...answers: [number, object | null][]): void {
  let turn = 0;
  vi.stubGlobal('fetch', (where: string, init: RequestInit) => {
    const { signal } = init;
    if (signal?.aborted) return Promise.reject(new DOMException('', 'AbortError'));
    const headers = init.headers as Record<string, string>;
    asked.push({
      method: init.method ?? 'GET',
      path: where,
      body: init.body ? (JSON.parse(init.body as string) as Record<string, unknown>) : null,
      key: headers['Idempotency-Key'] ?? null,
    });
    const [status, body] = answers[Math.min(turn++, answers.length - 1)]!;
    const type = { 'Content-Type': 'application/json' };
    return Promise.resolve(new Response(body && JSON.stringify(body), { status, headers: type }));
  });
}
function draftOf(...targets: string[]): Draft {
  const draft = new Draft({});
  draft.address = 'https://youtu.be/abc';
  draft.targets = targets;
  return draft;
}
beforeEach(() => {
  asked = [];
  localStorage.clear();
});
afterEach(() => vi.useRealTimers());

describe('a check', () => {
  it('asks nothing before there is a source and a language', async () => {
    serve([204, null]);
    const checking = new Checking(() => new Draft({}));
    expect(await checking.ask()).toBe(false);
    expect(asked).toEqual([]);
    expect(checking.missing).toEqual(['source', 'targets']);
  });

  it('that passes is good until a choice changes', async () => {
    serve([204, null]);
    const draft = draftOf('es');
    const checking = new Checking(() => draft);
    expect(await checking.ask()).toBe(true);
    expect(checking.isGood).toBe(true);
    draft.keepOriginal = true;
    expect(checking.isGood).toBe(false);
  });

  it('that is refused says so at the field', async () => {
    const errors = [{ where: 'sources.0, targets.1', why: 'Nobody speaks it.' }];
    serve([422, { code: 'bad_request', title: 'x', errors }]);
    const draft = draftOf('es', 'de');
    const checking = new Checking(() => draft);
    expect(await checking.ask()).toBe(false);
    expect(checking.at('targets')).toMatchObject({ target: 'de', text: 'Nobody speaks it.' });
    expect(checking.listed.refused).toEqual([]);
    checking.isPressed = true;
    expect(checking.listed.refused).toHaveLength(1);
  });

  it('has nothing to say of a server that is busy', async () => {
    serve([429, { code: 'too_many', title: 'x' }]);
    const checking = new Checking(() => draftOf('es'));
    expect(await checking.ask()).toBe(true);
    expect(checking.problem).toBeUndefined();
  });

  it('asks for a statement itself, and does not repeat what the server says of it', async () => {
    serve([403, { code: 'consent_missing', title: 'x' }]);
    const draft = draftOf('es');
    draft.voices = 'clone';
    const checking = new Checking(() => draft);
    await checking.ask();
    expect([checking.missing, checking.refused]).toEqual([['who', 'statement'], []]);
  });
});

const figures = (more: Partial<Figures> = {}): Figures => ({
  seconds: 60,
  speech_seconds: 40,
  engines: {},
  dollars: null,
  items: [],
  prices_of: null,
  unpriced: [],
  ...more,
});

describe('an estimate', () => {
  it('of several dubs is one, with a line for each engine and unit', () => {
    const item = { engine: 'translator.openai', unit: 'tokens_in', amount: 10, dollars: 0.5 };
    const dollars = { low: 1, likely: 2, high: 3 };
    const all = together([
      figures({ dollars, items: [item], unpriced: ['x'] }),
      figures({ dollars, items: [item, { ...item, unit: 'tokens_out', dollars: 9 }], unpriced: ['x'] }),
    ]);
    expect(all.dollars).toEqual({ low: 2, likely: 4, high: 6 });
    expect(all.lines.map((one) => [one.unit, one.amount])).toEqual([
      ['tokens_out', 10],
      ['tokens_in', 20],
    ]);
    expect([all.seconds, all.unpriced]).toEqual([120, ['x']]);
  });

  it('that nobody is paid for has no money in it', () => {
    expect(together([figures(), figures()]).dollars).toBeNull();
  });

  it('does not depend on what costs nothing', () => {
    const draft = draftOf('es');
    const before = JSON.stringify(priced(draft.spec('es')));
    Object.assign(draft, { title: 'Other', priority: '5', keepOriginal: true });
    expect(JSON.stringify(priced(draft.spec('es')))).toBe(before);
    draft.spoken = 'en';
    expect(JSON.stringify(priced(draft.spec('es')))).not.toBe(before);
  });

  it('is asked for once, and known from then on', async () => {
    serve([200, figures()]);
    const estimating = new Estimating();
    const specs = [draftOf('es').spec('es')];
    await estimating.ask(specs);
    expect(estimating.price?.seconds).toBe(60);
    estimating.clear();
    await estimating.ask(specs);
    expect(estimating.price?.seconds).toBe(60);
    expect(asked).toHaveLength(1);
  });

  it('that takes long is waited for, and says why it failed', async () => {
    vi.useFakeTimers();
    const error = { code: 'unsupported_source', message: 'Gone.', hint: 'Try another.' };
    const job = { id: ID, state: 'processing', estimate: null, error: null };
    serve([202, job], [200, job], [200, { ...job, state: 'failed', error }]);
    const estimating = new Estimating();
    const asking = estimating.ask([draftOf('es').spec('es')]);
    await vi.advanceTimersByTimeAsync(3000);
    await asking;
    expect(estimating.problem).toMatchObject({ code: 'unsupported_source', message: 'Gone.' });
  });

  it('that nobody wants any more is stopped at the server', async () => {
    vi.useFakeTimers();
    serve([202, { id: ID, state: 'processing' }]);
    const estimating = new Estimating();
    const asking = estimating.ask([draftOf('es').spec('es')]);
    await vi.advanceTimersByTimeAsync(100);
    estimating.clear();
    await asking;
    expect(asked.at(-1)).toMatchObject({ method: 'POST', path: `/api/v1/jobs/${ID}/cancel` });
    expect([estimating.isAsking, estimating.problem]).toEqual([false, undefined]);
  });
});

describe('submitting', () => {
  const job = { id: ID, kind: 'dub', created: 1, events: 0, updated: 1 };

  it('leads to the job, however often it is pressed', async () => {
    serve([201, job]);
    const submitting = new Submitting();
    const draft = draftOf('es');
    const both = await Promise.all([submitting.submit(draft, 'x'), submitting.submit(draft, 'x')]);
    expect(both).toEqual([`/jobs/${ID}`, null]);
    expect(asked).toHaveLength(1);
  });

  it('makes a batch of several languages', async () => {
    serve([201, { id: ID }]);
    const submitting = new Submitting();
    const draft = draftOf('es', 'fr');
    draft.keepOriginal = true;
    expect(await submitting.submit(draft, 'youtu.be')).toBe(`/jobs?batch=${ID}`);
    expect(asked[0]).toMatchObject({
      path: '/api/v1/batches',
      body: {
        name: 'youtu.be',
        sources: [{ source: 'https://youtu.be/abc' }],
        targets: ['es', 'fr'],
        wishes: { keep_original_audio: true },
      },
    });
  });

  it('has the same key for the same request that got lost, and another for another', async () => {
    serve([503, { code: 'unavailable', title: 'x' }]);
    const submitting = new Submitting();
    const draft = draftOf('es');
    expect(await submitting.submit(draft, 'x')).toBeNull();
    await submitting.submit(draft, 'x');
    draft.keepOriginal = true;
    await submitting.submit(draft, 'x');
    const [first, second, third] = asked.map((one) => one.key);
    expect(first).toBe(second);
    expect(third).not.toBe(first);
    expect(submitting.problem?.code).toBe('unavailable');
  });
});
