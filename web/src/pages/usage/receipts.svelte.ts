// What each engine did and cost, added up from the receipts of dubs.
import { isAborted } from '../../api';
import { ask } from '../../api/client';

export interface Receipt {
  calls?: { verb: string; made: number; kept: number }[];
  costs?: { engine: string; unit: string; amount: number; kept: number; dollars: number | null }[];
}
export interface EngineUse {
  /** `role.name` */
  engine: string;
  /** Calls that it answered. */
  made: number;
  /** Calls answered from earlier work: they cost nothing. */
  kept: number;
  dollars: number;
  /** Unit -> how much was paid for. */
  units: Record<string, number>;
}
/** What the product itself does is no engine that anybody chose. */
const OWN = 'studio.';

/** By engine, the dearest first. */
export function add(receipts: readonly Receipt[]): EngineUse[] {
  const all = new Map<string, EngineUse>();
  const use = (engine: string): EngineUse => {
    const known = all.get(engine) ?? { engine, made: 0, kept: 0, dollars: 0, units: {} };
    all.set(engine, known);
    return known;
  };
  for (const receipt of receipts) {
    for (const call of receipt.calls ?? []) {
      if (call.verb.startsWith(OWN)) continue;
      const one = use(call.verb.split('.').slice(0, 2).join('.'));
      one.made += call.made;
      one.kept += call.kept;
    }
    for (const cost of receipt.costs ?? []) {
      const one = use(cost.engine);
      one.dollars += cost.dollars ?? 0;
      if (cost.amount > 0) one.units[cost.unit] = (one.units[cost.unit] ?? 0) + cost.amount;
    }
  }
  return [...all.values()].sort(
    (a, b) => b.dollars - a.dollars || b.made - a.made || a.engine.localeCompare(b.engine),
  );
}

/** Receipts that are got at once. */
const AT_ONCE = 4;

export class Receipts {
  #got = new Map<string, Receipt>();
  engines = $state.raw<EngineUse[]>([]);
  /** Dubs whose receipts are in it. */
  count = $state(0);
  isLoading = $state(false);
  /** Receipts that could not be read. */
  failed = $state(0);
  #asking: AbortController | undefined;

  /** Add up the receipts of these jobs; those that were read before are not read again. */
  async read(jobs: readonly string[]): Promise<void> {
    this.#asking?.abort();
    const { signal } = (this.#asking = new AbortController());
    this.failed = 0;
    const wanted = jobs.filter((job) => !this.#got.has(job));
    this.isLoading = wanted.length > 0;
    let next = 0;
    const work = async (): Promise<void> => {
      for (let job = wanted[next++]; job && !signal.aborted; job = wanted[next++]) {
        try {
          const answer = await ask(`/api/v1/jobs/${job}/files/receipt`, { signal });
          this.#got.set(job, (await answer.json()) as Receipt);
        } catch (thrown) {
          if (isAborted(thrown)) return;
          this.failed += 1;
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    if (signal.aborted) return;
    const found = jobs.flatMap((job) => this.#got.get(job) ?? []);
    this.engines = add(found);
    this.count = found.length;
    this.isLoading = false;
  }
  stop(): void {
    this.#asking?.abort();
  }
}
