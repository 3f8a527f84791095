import { flushSync } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { jobsLive, type JobRow } from '../../api';
import { json, problem, serve } from '../../api/testing';
import { asking } from '../../design/ask.svelte';
import { toast } from '../../design';
import en from '../../i18n/en';
import { locale } from '../../i18n/index.svelte';
import { carryOut, losses, may, performAll } from './acting';
import { Chosen } from './choosing.svelte';
import { askOf, isEmpty, matches, readFilter, type Filter } from './filter';
import { finding, together, type Found } from './finding.svelte';
import { grouped, sumOf } from './grouping';
import { doing, languageWords } from './words';

const NONE: Filter = { state: '', language: '', text: '', batch: '' };
const BATCH = 'b'.repeat(32);
const row = (id: string, more: Partial<JobRow> = {}): JobRow =>
  ({
    id,
    kind: 'dub',
    state: 'completed',
    title: `Talk ${id}`,
    target: 'es',
    spoken: null,
    created: Number(id),
    updated: 1,
    events: 1,
    progress: 1,
    dollars: 0,
    batch: null,
    stopping: false,
    ...more,
  }) as JobRow;
const ids = (jobs: readonly JobRow[]): string[] => jobs.map((job) => job.id);

beforeEach(() => locale.use('en', en));
afterEach(() => jobsLive.stop());

describe('a filter in the address', () => {
  it('is read, and what means nothing is left out', () => {
    expect(readFilter(new URLSearchParams(`state=failed&language=de&text=Talk&batch=${BATCH}`))).toEqual({
      state: 'failed',
      language: 'de',
      text: 'Talk',
      batch: BATCH,
    });
    expect(readFilter(new URLSearchParams('state=odd&batch=1'))).toEqual(NONE);
    expect(isEmpty({ ...NONE, text: '  ' })).toBe(true);
  });

  it('is asked of the server in its own words', () => {
    expect(askOf({ ...NONE, state: 'running', language: 'fr', text: ' a ' })).toEqual({
      state: ['queued', 'processing'],
      target: 'fr',
      text: 'a',
    });
    expect(askOf(NONE)).toEqual({});
  });

  it.each([
    [{ state: 'running' as const }, false],
    [{ state: 'completed' as const }, true],
    [{ text: 'TALK' }, true],
    [{ text: 'song' }, false],
    [{ language: 'fr' }, false],
    [{ batch: BATCH }, false],
  ])('%o meets a finished talk in Spanish: %s', (change, is) => {
    expect(matches(row('1'), { ...NONE, ...change })).toBe(is);
  });
});

describe('what is found', () => {
  const end = { hasMore: false, isGone: () => false };

  it('follows what changes: jobs that meet the filter come, others go', () => {
    const rows = [row('3', { state: 'failed' }), row('2', { state: 'failed' })];
    const live = [row('4', { state: 'failed' }), row('3', { state: 'queued', events: 2 })];
    const found = together(rows, live, { ...NONE, state: 'failed' }, end);
    expect(ids(found)).toEqual(['4', '2']);
  });

  it('has no hole: what is older than its last page waits for its own page', () => {
    const found = together([row('9'), row('8')], [row('2')], NONE, { ...end, hasMore: true });
    expect(ids(found)).toEqual(['9', '8']);
  });

  it('leaves out what was deleted', () => {
    expect(ids(together([row('2'), row('1')], [], NONE, { ...end, isGone: (id) => id === '2' }))).toEqual([
      '1',
    ]);
  });

  it('is asked of the server again after each listing, and page by page', async () => {
    const pages: Record<string, object> = {
      '/api/v1/jobs?limit=100': { jobs: [row('5')], after: null, total: 1 },
      '/api/v1/jobs?text=talk&limit=100': { jobs: [row('5')], after: 'x', total: 2 },
      '/api/v1/jobs?text=talk&limit=100&after=x': { jobs: [row('1')], after: null, total: 2 },
    };
    const asked = serve(({ url }) => json(pages[url] ?? { jobs: [], after: null, total: 0 }));
    let found!: Found;
    const end = $effect.root(() => void (found = finding(() => ({ ...NONE, text: 'talk' }))));
    await jobsLive.list();
    flushSync();
    await vi.waitFor(() => expect(found.isReady).toBe(true));
    expect([ids(found.jobs), found.hasMore]).toEqual([['5'], true]);
    await found.more();
    expect([ids(found.jobs), found.hasMore]).toEqual([['5', '1'], false]);
    const before = asked.length;
    await jobsLive.list();
    flushSync();
    await vi.waitFor(() => expect(asked.length).toBe(before + 2));
    end();
  });

  it('tells why the server would not, and what is known meanwhile', async () => {
    serve(({ url }) =>
      url.includes('text=') ? problem(422, 'bad_request') : json({ jobs: [row('5')], after: null, total: 1 }),
    );
    let found!: Found;
    const end = $effect.root(() => void (found = finding(() => ({ ...NONE, text: 'talk' }))));
    await jobsLive.list();
    flushSync();
    await vi.waitFor(() => expect(found.problem?.code).toBe('bad_request'));
    expect(ids(found.jobs)).toEqual(['5']);
    end();
  });
});

describe('batches', () => {
  it('stand where their newest job stands', () => {
    const jobs = [row('5'), row('4', { batch: BATCH }), row('3'), row('2', { batch: BATCH })];
    const found = grouped(jobs).map((one) => (one.kind === 'job' ? one.job.id : ids(one.jobs)));
    expect(found).toEqual(['5', ['4', '2'], '3']);
  });

  it('sum up their jobs, or believe the server where it knows more', () => {
    const jobs = [row('1', { dollars: 1 }), row('2', { state: 'processing', progress: 0.5, dollars: 2 })];
    expect(sumOf(jobs, undefined)).toMatchObject({ total: 2, progress: 0.75, dollars: 3 });
    expect(sumOf(jobs, undefined).counts).toMatchObject({ completed: 1, processing: 1, failed: 0 });
    const said = { total: 9, counts: { failed: 9 }, progress: 0.1, dollars: 4 } as unknown as Parameters<
      typeof sumOf
    >[1];
    expect(sumOf(jobs, said)).toMatchObject({
      total: 9,
      progress: 0.1,
      dollars: 4,
      counts: { failed: 9, queued: 0 },
    });
  });
});

describe('choosing', () => {
  it('with Shift takes all between two, and forgets what is gone', () => {
    const chosen = new Chosen();
    const order = ['a', 'b', 'c', 'd'];
    chosen.set('b', true, order);
    chosen.set('d', true, order, true);
    expect(order.filter((id) => chosen.has(id))).toEqual(['b', 'c', 'd']);
    chosen.set('c', false, order);
    expect(chosen.count).toBe(2);
    chosen.clear();
    expect(chosen.count).toBe(0);
  });
});

describe('what is done', () => {
  it('depends on the state', () => {
    expect(may('cancel', row('1', { state: 'queued' }))).toBe(true);
    expect(may('cancel', row('1', { state: 'processing', stopping: true }))).toBe(false);
    expect([may('retry', row('1', { state: 'failed' })), may('retry', row('1'))]).toEqual([true, false]);
  });

  it('names what is lost before anything is deleted', () => {
    expect(losses([row('1')])).toMatch(/subtitles and receipt, and all edits.*cannot be undone/);
    expect(losses([row('1'), row('2'), row('3', { state: 'queued' })])).toMatch(
      /2 dubbed files.*still under way/,
    );
  });

  it('deletes nothing that is not meant', async () => {
    const asked = serve(() => json({}));
    const done = carryOut('delete', [row('1')]);
    await vi.waitFor(() => expect(asking.question?.title).toBe('Delete “Talk 1”?'));
    asking.answer(false);
    expect([await done, asked.length]).toEqual([false, 0]);
  });

  it('waits where the server wants it to, and tells how many could not be done', async () => {
    const urls: string[] = [];
    serve(({ url }) => {
      urls.push(url);
      if (urls.length === 1) return problem(429, 'too_many', 'Slow.', { 'Retry-After': '0' });
      return url.includes('/b/') ? problem(409, 'conflict', 'It is completed.') : json(row('a'));
    });
    const done = await performAll('retry', ['a', 'b']);
    expect(urls).toHaveLength(3);
    expect(done.done).toBe(1);
    expect(done.problems.map((one) => one.code)).toEqual(['conflict']);
  });

  it('takes what is gone already for deleted', async () => {
    serve(() => problem(404, 'not_found'));
    const done = carryOut('delete', [row('1'), row('2')]);
    await vi.waitFor(() => expect(asking.question).toBeDefined());
    asking.answer(true);
    expect(await done).toBe(true);
    expect(toast.all.at(-1)?.text).toBe('2 dubs were deleted.');
  });
});

describe('words', () => {
  it('say what goes on', () => {
    expect(languageWords(row('1', { spoken: 'en' }))).toBe('English to Spanish');
    expect(languageWords(row('1'))).toBe('into Spanish');
    expect(doing({ state: 'processing', stopping: false, stage: 'translate' })).toBe('Translating');
    expect(doing({ state: 'processing', stopping: false, stage: 'future' })).toBe('future');
    expect(doing({ state: 'completed', stopping: false, stage: '' })).toBe('');
  });
});
