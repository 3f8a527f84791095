// What to do about a job that failed, by the code of its error.
export type Advice = 'account' | 'source' | 'later' | 'budget' | 'storage' | 'engine';

const KNOWN: Record<string, Advice> = {
  rejected: 'account',
  no_credit: 'account',
  unsupported_source: 'source',
  media_failed: 'source',
  gone: 'source',
  unreachable: 'later',
  busy: 'later',
  circuit_open: 'later',
  bad_answer: 'later',
  unavailable: 'later',
  budget_exceeded: 'budget',
  quota_exceeded: 'budget',
  full: 'storage',
  output_problem: 'storage',
  engine_failed: 'engine',
  engine_cannot: 'engine',
};

/** Nothing where only the server's own hint can say. */
export const advised = (code: string): Advice | null => KNOWN[code] ?? null;
