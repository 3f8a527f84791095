/** Where to go afterwards: an address of this app and of nobody else's. */
export function within(next: string | null): string {
  if (!next?.startsWith('/')) return '/';
  const url = new URL(next, location.origin);
  if (url.origin !== location.origin || url.pathname === '/sign-in') return '/';
  return url.pathname + url.search + url.hash;
}
