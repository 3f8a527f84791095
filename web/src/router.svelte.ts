// Which page is shown: addresses, links and history. Any link to one of our pages is followed without a reload.
import type { Component } from 'svelte';

// A page is given `params`; many need none.
export type PageComponent = Component<any>;
export interface Route {
  /** `/jobs/:job/studio`: a word with a colon stands for anything. */
  path: string;
  load: () => Promise<{ default: PageComponent }>;
  /** Which entry of the navigation is lit. */
  section: string;
  /** Only for admins. */
  admin?: boolean;
  /** Without the frame of the app, and for whoever is not signed in. */
  bare?: boolean;
  /** Over the whole window, with no margins: the studio. */
  full?: boolean;
}
export interface Place {
  route: Route | null;
  params: Record<string, string>;
}

/** The first route that an address belongs to. */
export function match(routes: readonly Route[], path: string): Place {
  const parts = path.split('/').filter(Boolean);
  for (const route of routes) {
    const wanted = route.path.split('/').filter(Boolean);
    if (wanted.length !== parts.length) continue;
    const params: Record<string, string> = {};
    const fits = wanted.every((word, index) => {
      const part = parts[index] ?? '';
      if (!word.startsWith(':')) return word === part;
      try {
        params[word.slice(1)] = decodeURIComponent(part);
        return true;
      } catch {
        return false;
      }
    });
    if (fits) return { route, params };
  }
  return { route: null, params: {} };
}

class Router {
  path = $state(location.pathname);
  query = $state.raw(new URLSearchParams(location.search));
  /** Counts arrivals at other pages, so that the page can move the focus. */
  arrivals = $state(0);
  #tops = new Map<string, number>();

  /** Go to an address of the app; with `replace` the way back does not lead here. */
  go(to: string, { replace = false } = {}): void {
    const url = new URL(to, location.href);
    this.#leave();
    const key = crypto.getRandomValues(new Uint32Array(1)).join('');
    history[replace ? 'replaceState' : 'pushState']({ key }, '', url.pathname + url.search + url.hash);
    this.#arrive(0);
  }

  /** Change the query only, such as a filter: no page begins anew. */
  ask(query: Record<string, string | null | undefined>): void {
    const next = new URLSearchParams(this.query);
    for (const [name, value] of Object.entries(query)) {
      if (value) next.set(name, value);
      else next.delete(name);
    }
    const text = next.size ? `?${next}` : '';
    history.replaceState(history.state, '', location.pathname + text);
    this.query = next;
  }

  begin(isOurs: (path: string) => boolean): void {
    history.scrollRestoration = 'manual';
    addEventListener('popstate', (event) => {
      const key = (event.state as { key?: string } | null)?.key ?? '';
      this.#arrive(this.#tops.get(key) ?? 0);
    });
    addEventListener('scroll', () => this.#leave(), { passive: true });
    document.addEventListener('click', (event) => {
      if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey)
        return;
      const link = (event.target as Element).closest<HTMLAnchorElement>('a[href]');
      if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
      if (!isOurs(link.pathname)) return;
      if (link.pathname === location.pathname && link.search === location.search && link.hash) return;
      event.preventDefault();
      this.go(link.href);
    });
  }

  #leave(): void {
    this.#tops.set((history.state as { key?: string } | null)?.key ?? '', scrollY);
  }
  #arrive(top: number): void {
    const isOther = this.path !== location.pathname;
    this.path = location.pathname;
    this.query = new URLSearchParams(location.search);
    if (isOther) this.arrivals += 1;
    requestAnimationFrame(() => scrollTo(0, top));
  }
}
export const router = new Router();
