// Statements of consent, a page at a time, newest first.
import { api, problemOf, type ApiProblem, type Schemas } from '../../api';

type Consent = Schemas['ConsentShape'];
const PAGE = 50;

export class Statements {
  found = $state.raw<readonly Consent[]>();
  problem = $state.raw<ApiProblem>();
  hasMore = $state(false);
  isLoading = $state(false);

  async list(): Promise<void> {
    await this.#get();
  }
  async more(): Promise<void> {
    await this.#get(this.found?.at(-1)?.id);
  }
  async #get(after?: string): Promise<void> {
    if (this.isLoading) return;
    this.isLoading = true;
    try {
      const page = await api.get('/api/v1/consents', { query: { limit: PAGE, ...(after ? { after } : {}) } });
      this.found = after ? [...(this.found ?? []), ...page.consents] : page.consents;
      this.hasMore = page.consents.length === PAGE;
      this.problem = undefined;
    } catch (thrown) {
      this.problem = problemOf(thrown);
    } finally {
      this.isLoading = false;
    }
  }
  /** One that was changed, or a new one. */
  put(one: Consent): void {
    const known = this.found ?? [];
    const isKnown = known.some((other) => other.id === one.id);
    this.found = isKnown ? known.map((other) => (other.id === one.id ? one : other)) : [one, ...known];
  }
}
