// What the dub would cost, asked of the server before anything starts.
import { ApiProblem, api, connection, problemOf, type Job, type Schemas } from '../../api';
import type { Spec } from './draft.svelte';

export type Figures = Omit<Schemas['EstimateShape'], 'job' | 'title'>;
export interface Line {
  engine: string;
  unit: string;
  amount: number;
  dollars: number;
}
export interface Price {
  /** Seconds of programme, of all dubs together. */
  seconds: number;
  speech: number;
  /** Null: nobody is paid. */
  dollars: { low: number; likely: number; high: number } | null;
  lines: Line[];
  unpriced: string[];
  /** The day the prices were checked. */
  pricesOf: string | null;
}

/** Whether it is known that nobody is paid. */
export const isFree = (price: Price): boolean => !price.dollars && !price.unpriced.length;

/** One price of several dubs: what the same engine is paid for the same is one line. */
export function together(all: readonly Figures[]): Price {
  const lines = new Map<string, Line>();
  const sum = { low: 0, likely: 0, high: 0 };
  let isPaid = false;
  for (const one of all) {
    if (one.dollars) {
      isPaid = true;
      for (const which of ['low', 'likely', 'high'] as const) sum[which] += one.dollars[which];
    }
    for (const item of one.items) {
      const name = `${item.engine} ${item.unit}`;
      const line = lines.get(name) ?? { ...item, amount: 0, dollars: 0 };
      lines.set(name, { ...line, amount: line.amount + item.amount, dollars: line.dollars + item.dollars });
    }
  }
  return {
    seconds: all.reduce((sum, one) => sum + one.seconds, 0),
    speech: all.reduce((sum, one) => sum + one.speech_seconds, 0),
    dollars: isPaid ? sum : null,
    lines: [...lines.values()].sort((a, b) => b.dollars - a.dollars),
    unpriced: [...new Set(all.flatMap((one) => one.unpriced))],
    pricesOf: all.find((one) => one.prices_of)?.prices_of ?? null,
  };
}

const NOT_OF_PRICE = [
  'title',
  'priority',
  'retention_days',
  'budget',
  'consent',
  'consent_id',
  'keep_voices',
];
const MORE = ['keep_original_audio', 'loudness'];

/** The parts of a request that can change its price. */
export function priced(spec: Spec): Spec {
  const left = new Set([...NOT_OF_PRICE, ...MORE]);
  return Object.fromEntries(Object.entries(spec).filter(([name]) => !left.has(name))) as Spec;
}

/** Milliseconds between two looks. */
const LOOK = 1000;

/** The figures of one dub. Work that nobody waits for any more is stopped at the server, too. */
async function figures(spec: Spec, signal: AbortSignal): Promise<Figures> {
  // Not broken off: the answer has the name of the work there is to stop.
  const found: Schemas['EstimateShape'] | Job = await api.post('/api/v1/estimates', {
    query: { wait: 3 },
    body: spec,
  });
  if (!('id' in found)) return found;
  let job: Job = found;
  const path = { job: job.id };
  while (job.state === 'queued' || job.state === 'processing') {
    if (signal.aborted) {
      // One that is over by now need not be stopped.
      await api.post('/api/v1/jobs/{job}/cancel', { path }).catch(() => undefined);
      signal.throwIfAborted();
    }
    await connection.pause(LOOK, signal).catch(() => undefined); // not wanted: the work is stopped above
    if (!signal.aborted) job = await api.get('/api/v1/jobs/{job}', { path });
  }
  if (job.state !== 'completed' || !job.estimate) {
    const { code, message, hint } = job.error ?? { code: 'conflict', message: '', hint: '' };
    throw new ApiProblem(422, code, message, hint);
  }
  return { ...(job.estimate as unknown as Figures), seconds: job.seconds ?? 0 };
}

export class Estimating {
  price = $state.raw<Price>();
  problem = $state.raw<ApiProblem>();
  isAsking = $state(false);
  /** What the price belongs to. */
  #of: string | null = null;
  #stop: AbortController | undefined;
  #kept = new Map<string, Figures>();

  /** Ask for these; what was asked for before is not wanted any more. */
  async ask(specs: readonly Spec[]): Promise<void> {
    const wanted = specs.map(priced);
    const of = JSON.stringify(wanted);
    if (of === this.#of && (this.isAsking || this.price)) return;
    this.clear();
    this.#of = of;
    const { signal } = (this.#stop = new AbortController());
    this.isAsking = true;
    try {
      const all: Figures[] = [];
      for (const spec of wanted) {
        signal.throwIfAborted();
        const name = JSON.stringify(spec);
        const found = this.#kept.get(name) ?? (await figures(spec, signal));
        this.#kept.set(name, found);
        all.push(found);
      }
      if (signal.aborted) return;
      this.price = together(all);
    } catch (thrown) {
      if (signal.aborted) return;
      this.problem = problemOf(thrown);
    }
    this.isAsking = false;
  }

  /** Forget a price that is of something else by now. */
  keepFor(specs: readonly Spec[]): void {
    if (JSON.stringify(specs.map(priced)) !== this.#of) this.clear();
  }

  /** Nothing is known, and nobody wants to. */
  clear(): void {
    this.#stop?.abort();
    this.#of = null;
    this.price = undefined;
    this.problem = undefined;
    this.isAsking = false;
  }
}
