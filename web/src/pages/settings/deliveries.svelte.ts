// What a webhook was told; looked at again while something is still on its way.
import { api, isAborted, problemOf, type ApiProblem, type Schemas } from '../../api';

type Delivery = Schemas['DeliveryShape'];
/** Milliseconds between looks while something is waiting. */
const PAUSE = 1500;
/** Looks after which nobody waits any longer. */
const MOST = 40;

export class Deliveries {
  found = $state.raw<readonly Delivery[]>();
  problem = $state.raw<ApiProblem>();
  isLoading = $state(false);
  hasMore = $state(false);
  #after: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking: AbortController | undefined;
  #looks = 0;

  constructor(readonly hook: string) {}

  /** The newest, from the first on. */
  async list(): Promise<void> {
    this.#looks = 0;
    await this.#look();
  }
  async #look(): Promise<void> {
    this.stop();
    const { signal } = (this.#asking = new AbortController());
    try {
      const page = await api.get('/api/v1/webhooks/{hook}/deliveries', { path: { hook: this.hook }, signal });
      this.found = page.deliveries;
      this.#after = page.after;
      this.hasMore = page.after !== null;
      this.problem = undefined;
    } catch (thrown) {
      if (!isAborted(thrown)) this.problem = problemOf(thrown);
      return;
    }
    const isDue = this.found.some((one) => one.state === 'waiting');
    if (isDue && ++this.#looks < MOST) this.#timer = setTimeout(() => void this.#look(), PAUSE);
  }
  /** Those before. */
  async more(): Promise<void> {
    if (!this.#after || this.isLoading) return;
    this.stop();
    const { signal } = (this.#asking = new AbortController());
    this.isLoading = true;
    try {
      const path = { hook: this.hook };
      const query = { after: this.#after };
      const page = await api.get('/api/v1/webhooks/{hook}/deliveries', { path, query, signal });
      this.found = [...(this.found ?? []), ...page.deliveries];
      this.#after = page.after;
      this.hasMore = page.after !== null;
    } catch (thrown) {
      if (!isAborted(thrown)) this.problem = problemOf(thrown);
    } finally {
      this.isLoading = false;
    }
  }
  stop(): void {
    clearTimeout(this.#timer);
    this.#asking?.abort();
  }
}
