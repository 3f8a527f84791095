import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { JobEvent } from '../../api';
import { json, problem, serve } from '../../api/testing';
import en from '../../i18n/en';
import es from '../../i18n/es';
import { locale } from '../../i18n/index.svelte';
import { asText, detailOf, filtered, isForeign, toneOf, wordsOf } from './log';
import { made } from './making';
import {
  aimOf,
  byStanding,
  lineAt,
  speakersOf,
  type Metric,
  type Receipt,
  type ReceiptLine,
} from './receipt';
import { curve, scale, thinned, ticks } from './scale';
import { drawing, startOf, MARGIN } from './score';
import { picture, saidLast, sums, underWay, type Attempt, type Stage } from './stages';
import { targets } from './targets';
import { bound, figure, lateness, lineWords } from './words';

beforeEach(() => locale.use('en', en));

const stage = (name: string, runs: [number, number | null][], more: Partial<Stage> = {}): Stage => ({
  stage: name,
  message: '',
  runs: runs.map(([start, end]) => ({ start, end, whole: true })),
  took: null,
  fraction: null,
  made: 1,
  kept: 2,
  retried: 0,
  failed: 0,
  seconds: 1,
  dollars: 0.5,
  engines: [],
  ...more,
});
const event = (number: number, kind: string, more: Partial<JobEvent> = {}): JobEvent => ({
  number,
  at: 1000 + number,
  attempt: 1,
  kind,
  stage: '',
  message: '',
  fraction: null,
  data: {},
  ...more,
});

describe('stages on a time axis', () => {
  const attempt: Attempt = {
    job: 'j',
    attempt: 1,
    start: 100,
    end: null,
    engines: {},
    stages: [
      stage('open', [[100, 105]], { took: 5 }),
      stage('separate', [[105, 112]]),
      stage('transcribe', [[105, null]]),
    ],
  };

  it('lie where they ran, and what runs reaches to now', () => {
    const drawn = picture(attempt, 120);
    expect(drawn.seconds).toBe(20);
    expect(drawn.tracks.map(({ bars }) => bars.map((bar) => [bar.start, bar.length]))).toEqual([
      [[0, 0.25]],
      [[0.25, 0.35]],
      [[0.25, 0.75]],
    ]);
    expect(drawn.tracks.map((track) => [track.took, track.isRunning])).toEqual([
      [5, false],
      [7, false],
      [15, true],
    ]);
  });

  it('count how many ran side by side: one that ends as another begins is not beside it', () => {
    expect(picture(attempt, 120).together).toBe(2);
    expect(sums(attempt)).toEqual({ made: 3, kept: 6, dollars: 1.5 });
  });

  it('are under way from their beginning to their end, in the newest attempt', () => {
    const told = [
      event(1, 'stage.started', { stage: 'open' }),
      event(2, 'job.started'),
      event(3, 'stage.started', { stage: 'separate' }),
      event(4, 'stage.started', { stage: 'transcribe' }),
      event(5, 'stage.finished', { stage: 'separate' }),
    ];
    expect(underWay(told)).toEqual(['transcribe']);
  });

  it('say of themselves what they do; notes of others, and of what is over, are not theirs', () => {
    const told = [
      event(1, 'stage.started', { stage: 'separate' }),
      event(2, 'stage.progress', { stage: 'separate', message: 'separating' }),
      event(3, 'stage.started', { stage: 'transcribe' }),
      event(4, 'stage.progress', { stage: 'transcribe', message: 'part 1 of 2' }),
      event(5, 'degraded', { message: 'People speak without a pause.' }),
      event(6, 'stage.finished', { stage: 'separate' }),
    ];
    expect(saidLast(told)).toBe('part 1 of 2');
    expect(saidLast([...told, event(7, 'stage.finished', { stage: 'transcribe' })])).toBe('');
    expect(saidLast([...told, event(7, 'job.started')])).toBe('');
  });
});

describe('the log', () => {
  const call = event(2, 'call.finished', {
    stage: 'speak',
    data: {
      role: 'synthesizer',
      engine: 'espeak',
      verb: 'synthesize',
      seconds: 1.234,
      count: 3,
      kept: false,
    },
  });
  const failed = event(4, 'job.failed', { message: 'No.', data: { hint: 'Do this.' } });
  const all = [
    event(1, 'stage.started', { stage: 'speak', message: 'speaking' }),
    call,
    event(3, 'degraded', { message: 'One voice.', data: { reason: 'no clones' } }),
    failed,
  ];

  it('tells events in words, and what the server says besides', () => {
    expect(wordsOf(call)).toBe('synthesizer.espeak answered synthesize 3 times in 1.23 s (Free)');
    expect(wordsOf(all[0]!)).toBe('Speaking the lines: begun');
    expect([wordsOf(failed), detailOf(failed)]).toEqual(['Failed', 'No. – Do this.']);
    expect(detailOf(all[2]!)).toBe('One voice. – no clones');
    expect(wordsOf(event(9, 'kind.of.tomorrow'))).toBe('kind.of.tomorrow');
    locale.use('es', es);
    expect(wordsOf(failed)).toBe('Fallido');
    const known = event(5, 'job.failed', { message: 'No.', data: { code: 'no_credit' } });
    expect(wordsOf(known)).toBe('Fallido: La cuenta del proveedor no tiene saldo.');
    const degraded = event(6, 'degraded', { message: 'One voice.', data: { what: 'diarizer' } });
    expect(wordsOf(degraded)).toBe('Los hablantes no se han distinguido como deberían.');
  });

  it('says how far a stage is in the words of the reader, or of the server', () => {
    const far = (message: string) => event(7, 'stage.progress', { stage: 'speak', fraction: 0.5, message });
    expect(detailOf(far('3 of 12 lines'))).toBe('3 of 12 lines');
    locale.use('es', es);
    expect(detailOf(far('3 of 12 lines'))).toBe('3 de 12 líneas');
    expect(detailOf(far('Fetching the sound'))).toBe('descargando el sonido');
    expect(isForeign(far('Fetching the sound'))).toBe(false);
    expect(detailOf(far('taking a nap'))).toBe('taking a nap');
    expect(isForeign(far('taking a nap'))).toBe(true);
  });

  it('is chosen by kind and by words', () => {
    const numbers = (kind: Parameters<typeof filtered>[1], text = ''): number[] =>
      filtered(all, kind, text).map((one) => one.number);
    expect(numbers('all')).toEqual([1, 2, 3, 4]);
    expect(numbers('stages')).toEqual([1, 4]);
    expect(numbers('calls')).toEqual([2]);
    expect(numbers('trouble')).toEqual([3, 4]);
    expect(numbers('all', 'VOICE clones')).toEqual([3]);
    expect(all.map(toneOf)).toEqual(['plain', 'plain', 'warn', 'bad']);
  });

  it('is copied whole, a line for each event', () => {
    const lines = asText(all).split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[3]).toBe('4\t1970-01-01T00:16:44.000Z\tjob.failed\t\tFailed\tNo. – Do this.');
  });
});

const line = (id: string, source: [number, number], dub: [number, number] | null, more: Partial<ReceiptLine> = {}) =>
  ({ id, speaker: 'S1', status: 'spoken', source_ms: source, dub_ms: dub, clip_ms: dub, pace: 1, onset_error_ms: 0, ...more }) as ReceiptLine; // prettier-ignore
const metric = (id: string, value: number | null, more: Partial<Metric> = {}): Metric =>
  ({
    id,
    name: id,
    value,
    unit: 'ratio',
    sense: '',
    floor: null,
    lead: null,
    standing: 'reported',
    ...more,
  }) as Metric;
const receipt = (lines: ReceiptLine[], metrics: Metric[] = []): Receipt =>
  ({
    durations: { source_ms: 10_000, output_ms: 10_000, picture_copied: true },
    lines,
    metrics,
    curves: {
      source_speech_ms: [],
      dub_speech_ms: [],
      step_ms: 1000,
      source_lufs: [-70, -20],
      output_lufs: [null, -8],
    },
  }) as unknown as Receipt;

describe('the receipt', () => {
  it('knows the loudness aimed at only where it was the source’s own', () => {
    const said = (output: number, error: number): Metric[] => [
      metric('M5.source', -20),
      metric('M5.output', output),
      metric('M5.loudness', error),
    ];
    expect(aimOf(receipt([], said(-20.3, 0.3)))).toBe(-20);
    expect(aimOf(receipt([], said(-14, 0.1)))).toBeUndefined();
    expect(aimOf(receipt([]))).toBeUndefined();
  });

  it('puts what is not met first', () => {
    const all = [
      metric('a', 1, { sense: 'at least', floor: 0.5, standing: 'lead' }),
      metric('b', 1),
      metric('c', 0, { sense: 'at least', floor: 0.5, standing: 'below' }),
      metric('d', null, { sense: 'at least', floor: 0.5, standing: 'undefined' }),
    ];
    const { judged, reported } = byStanding(all);
    expect([judged.map((one) => one.id), reported.map((one) => one.id)]).toEqual([
      ['c', 'a'],
      ['b', 'd'],
    ]);
  });

  it('finds the line of a moment, in source or dub', () => {
    const lines = [line('1', [1000, 2000], [900, 2100]), line('2', [4000, 5000], [4200, 5200])];
    expect([0.5, 0.95, 3, 4.1].map((at) => lineAt(lines, at))).toEqual([-1, 0, 0, 1]);
    expect(startOf(receipt(lines), 0)).toBe(0.9);
  });

  it('colours speakers in the order in which they speak', () => {
    const lines = ['B', 'A', 'B'].map((speaker, index) => line(String(index), [0, 1], null, { speaker }));
    expect([...speakersOf(lines)]).toEqual([
      ['B', 1],
      ['A', 2],
    ]);
  });
});

describe('drawing', () => {
  it('puts values where they belong', () => {
    expect(scale([0, 10], [0, 100])(5)).toBe(50);
    expect(ticks(62, 7)).toEqual([0, 10, 20, 30, 40, 50, 60]);
    expect(ticks(7200, 5)).toEqual([0, 1800, 3600, 5400, 7200]);
    expect(
      curve(
        [1, null, 2, 3],
        (x) => x,
        (y) => y,
      ),
    ).toBe('M0.0 1.0M2.0 2.0L3.0 3.0');
    expect(thinned([1, 3, null, null, 5], 3)).toEqual({ every: 2, values: [2, null, 5] });
    const drawn = drawing(receipt([line('1', [0, 1], null, { pace: 2 })]), 128);
    expect([drawn.x(0), drawn.x(10_000)]).toEqual([MARGIN, 128 - MARGIN]);
    expect(drawn.loudness).toEqual([-60, -5]);
    expect(drawn.yPace(2)).toBeGreaterThan(130);
  });
});

describe('figures in words', () => {
  it('have their units and bounds', () => {
    expect([figure(0.951, 'share'), figure(null, 'ms'), figure(120, 'ms')]).toEqual(['95.1%', '–', '120 ms']);
    expect([figure(-200, 'dB', 'B1'), figure(-23.25, 'dB', 'B2'), figure(1, 'frames')]).toEqual([
      'bit for bit',
      '-23.3 dB',
      '1 frame',
    ]);
    expect(bound(metric('a', 1, { sense: 'at least', unit: 'share', floor: 0.9, lead: 0.97 }))).toBe(
      'at least 90%, better 97%',
    );
    expect(bound(metric('a', 1, { sense: 'at most', floor: 1, lead: 1 }))).toBe('at most 1.00');
    expect([lateness(null), lateness(5), lateness(250), lateness(-1000)]).toEqual([
      '–',
      'on time',
      '0.25 s late',
      '1.00 s early',
    ]);
  });

  it('tell a line to who cannot see it', () => {
    expect(lineWords(line('1', [1000, 3000], [1000, 3000], { onset_error_ms: 300 }), 0)).toBe(
      'Line 1, 0:01 to 0:03, S1, begins 0.30 s late, pace 1.00',
    );
    expect(lineWords(line('1', [1000, 3000], null), 1)).toContain('not spoken');
  });
});

describe('files made on demand', () => {
  it('are waited for as long as the server says', async () => {
    const asked = serve((_, count) =>
      count < 3 ? json({ state: 'making' }, 202, { 'Retry-After': '1' }) : new Response('x', { status: 206 }),
    );
    vi.useFakeTimers();
    const done = made('/api/v1/jobs/1/files/audio', new AbortController().signal);
    await vi.advanceTimersByTimeAsync(2500);
    await done;
    vi.useRealTimers();
    expect(asked.map((one) => one.url)).toEqual(Array(3).fill('/api/v1/jobs/1/files/audio?wait=5'));
  });

  it('that cannot be made say why', async () => {
    serve(() => problem(404, 'not_found', 'The source is gone.'));
    await expect(made('/x', new AbortController().signal)).rejects.toThrow('The source is gone.');
  });
});

describe('another language', () => {
  const all = ['es', 'pt-BR', 'af'].map((tag) => ({ tag, name: tag }));
  const known = (pairs: Record<string, string[]> | null) =>
    ({
      recognised: [],
      translated: [{ engine: 'a', languages: null, pairs }],
      spoken: [{ engine: 'b', languages: all }],
    }) as Parameters<typeof targets>[0];

  it('is one that somebody translates into and somebody speaks', () => {
    expect(targets(known({ en: ['es', 'pt', 'ca'], fr: ['af'] }), 'en-GB')).toEqual(['es', 'pt-BR']);
    expect(targets(known({ en: ['es'], fr: ['af'] }), null)).toEqual(['es', 'af']);
    expect(targets(known(null), 'en')).toEqual(['es', 'pt-BR', 'af']);
  });
});
