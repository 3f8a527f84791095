// Which dubs are chosen. A press with Shift chooses all between this one and the one before.
import { SvelteSet } from 'svelte/reactivity';

export class Chosen {
  #ids = new SvelteSet<string>();
  #last: string | null = null;

  get count(): number {
    return this.#ids.size;
  }
  has(id: string): boolean {
    return this.#ids.has(id);
  }
  /** `order`: ids as they are shown. */
  set(id: string, on: boolean, order: readonly string[] = [], isRange = false): void {
    const from = this.#last === null ? -1 : order.indexOf(this.#last);
    const to = order.indexOf(id);
    const touched =
      isRange && from >= 0 && to >= 0 ? order.slice(Math.min(from, to), Math.max(from, to) + 1) : [id];
    for (const one of touched) {
      if (on) this.#ids.add(one);
      else this.#ids.delete(one);
    }
    this.#last = id;
  }
  setAll(ids: readonly string[], on: boolean): void {
    for (const id of ids) {
      if (on) this.#ids.add(id);
      else this.#ids.delete(id);
    }
  }
  clear(): void {
    this.#ids.clear();
    this.#last = null;
  }
  /** Forget those that are not there any more. */
  keep(there: ReadonlySet<string>): void {
    for (const id of [...this.#ids]) if (!there.has(id)) this.#ids.delete(id);
  }
}
