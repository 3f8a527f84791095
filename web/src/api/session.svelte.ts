// Who uses the page.
import { api, onSignedOut, setToken } from './client';
import type { Me } from './types';

type Scope = Me['scopes'][number];

class Session {
  /** Who is signed in; undefined until it is known, null when nobody is. */
  me = $state<Me | null | undefined>(undefined);

  /** Whether people sign in at this server; a server on one's own machine has no accounts. */
  get hasAccounts(): boolean {
    return this.me === null || !!this.me?.accounts;
  }
  get isAdmin(): boolean {
    return this.me?.role === 'admin' && this.can('admin');
  }
  can(scope: Scope): boolean {
    return !!this.me?.scopes.includes(scope);
  }

  /** Ask who we are. The page says when nobody is signed in, so that nothing is asked in vain. */
  async load(): Promise<void> {
    const said = document.querySelector<HTMLMetaElement>('meta[name=autodub-session]');
    if (said?.content === 'none') {
      this.set(null);
      return;
    }
    this.set(await api.get('/api/v1/auth/me'));
  }

  async signIn(name: string, password: string): Promise<void> {
    this.set(await api.post('/api/v1/auth/login', { body: { name, password } }));
  }

  async changePassword(current: string, next: string): Promise<void> {
    this.set(await api.post('/api/v1/auth/password', { body: { current, new: next } }));
  }

  async signOut(): Promise<void> {
    await api.post('/api/v1/auth/logout');
    this.set(null);
  }

  set(me: Me | null): void {
    setToken(me?.csrf ?? null);
    this.me = me;
    // From here on the page knows better than its first line.
    document.querySelector('meta[name=autodub-session]')?.remove();
  }
}

export const session = new Session();
onSignedOut(() => session.set(null));
