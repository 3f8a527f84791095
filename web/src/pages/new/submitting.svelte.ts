// From a draft to jobs, once, however often the button is pressed.
import { api, jobsLive, problemOf, type ApiProblem } from '../../api';
import type { Draft } from './draft.svelte';

export class Submitting {
  isBusy = $state(false);
  /** Pressed while files are still on their way: it starts when they are there. */
  isWaiting = $state(false);
  /** Pressed while the price is being worked out: it starts if that is nothing, and is asked about otherwise. */
  isPricing = $state(false);
  problem = $state.raw<ApiProblem>();
  #key = '';
  #body = '';

  /** The same request has the same key until it was taken, so that one that got lost is not made twice. */
  #headers(body: string): Record<string, string> {
    if (body !== this.#body || !this.#key) {
      this.#body = body;
      this.#key = [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join('-');
    }
    return { 'Idempotency-Key': this.#key };
  }

  /** Where the dub, or the dubs, can be watched; null when it was refused or is under way already. */
  async submit(draft: Draft, name: string): Promise<string | null> {
    if (this.isBusy) return null;
    this.isBusy = true;
    this.isWaiting = this.isPricing = false;
    this.problem = undefined;
    try {
      const where = draft.targets.length === 1 ? await this.#one(draft) : await this.#many(draft, name);
      draft.remember();
      this.#key = '';
      return where;
    } catch (thrown) {
      this.problem = problemOf(thrown);
      return null;
    } finally {
      this.isBusy = false;
    }
  }

  async #one(draft: Draft): Promise<string> {
    const body = draft.spec(draft.targets[0]!);
    const job = await api.post('/api/v1/jobs', { body, headers: this.#headers(JSON.stringify(body)) });
    jobsLive.put(job);
    return `/jobs/${job.id}`;
  }

  async #many(draft: Draft, name: string): Promise<string> {
    const { source, upload } = draft.spec('');
    const title = draft.title.trim() || null;
    const fields = { ...(source ? { source } : { upload }), ...(title ? { title } : {}) };
    const body = {
      name: (title ?? name).slice(0, 200),
      sources: [fields],
      targets: [...draft.targets],
      wishes: draft.wishes,
    };
    const headers = this.#headers(JSON.stringify(body));
    // What is left out is as the server has it; the types ask for every field.
    const batch = await api.post('/api/v1/batches', { body: body as never, headers });
    return `/jobs?batch=${batch.id}`;
  }
}
