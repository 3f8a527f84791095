// The audit, a page at a time, by what somebody looks for.
import { address } from '../../api/client';
import { api, isAborted, problemOf, type ApiProblem, type Schemas } from '../../api';

export interface Wanted {
  actor: string;
  action: string;
  subject: string;
  /** Days, such as 2026-03-31, where the reader is; both are in it. */
  from: string;
  to: string;
}
export const NOTHING: Wanted = { actor: '', action: '', subject: '', from: '', to: '' };

/** Seconds since 1970 at the start of a day, or of the one after it; undefined where none is named. */
function moment(day: string, more = 0): number | undefined {
  const [year, month, at] = day.split('-').map(Number);
  return year && month && at ? new Date(year, month - 1, at + more).getTime() / 1000 : undefined;
}

export function asked(wanted: Wanted): Record<string, string | number> {
  const since = moment(wanted.from);
  const until = moment(wanted.to, 1);
  return {
    ...(wanted.actor ? { actor: wanted.actor } : {}),
    ...(wanted.action.trim() ? { action: wanted.action.trim() } : {}),
    ...(wanted.subject.trim() ? { subject: wanted.subject.trim() } : {}),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
}
/** Where all rows that are wanted can be had as a file. */
export const exported = (wanted: Wanted): string => address('/api/v1/admin/audit/export', {}, asked(wanted));

export class Trail {
  found = $state.raw<readonly Schemas['EntryShape'][]>();
  problem = $state.raw<ApiProblem>();
  isLoading = $state(false);
  hasMore = $state(false);
  #after: number | null = null;
  #asking: AbortController | undefined;

  async list(wanted: Wanted, isMore = false): Promise<void> {
    this.#asking?.abort();
    const { signal } = (this.#asking = new AbortController());
    this.isLoading = true;
    try {
      const query = { ...asked(wanted), ...(isMore && this.#after !== null ? { after: this.#after } : {}) };
      const page = await api.get('/api/v1/admin/audit', { query, signal });
      this.found = isMore ? [...(this.found ?? []), ...page.entries] : page.entries;
      this.#after = page.after;
      this.hasMore = page.after !== null;
      this.problem = undefined;
      this.isLoading = false;
    } catch (thrown) {
      if (isAborted(thrown)) return;
      this.problem = problemOf(thrown);
      this.isLoading = false;
    }
  }
  stop(): void {
    this.#asking?.abort();
  }
}
