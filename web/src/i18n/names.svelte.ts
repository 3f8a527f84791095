// Names of languages that browsers have none for: our own words for those we know, else what the server calls them.
class Names {
  /** As the server says them, in English. */
  #told = $state.raw<ReadonlyMap<string, string>>(new Map());
  /** Whether a language was met that nobody here has a name for: whoever can should ask the server for them. */
  isWanted = $state(false);

  tell(names: Iterable<{ tag: string; name: string }>): void {
    this.#told = new Map([...this.#told, ...[...names].map(({ tag, name }) => [tag, name] as const)]);
  }

  /** What the server calls it; undefined where it has not said so. */
  of(tag: string): string | undefined {
    const name = this.#told.get(tag);
    // Asked while something is drawn: nothing may change before that is done.
    if (name === undefined && !this.isWanted) queueMicrotask(() => (this.isWanted = true));
    return name;
  }
}
export const names = new Names();
