// The names of those whose ids stand in lists.
import { api, resource, session, type Schemas } from '../../api';

export type User = Schemas['UserShape'];
export interface People {
  readonly all: readonly User[];
  /** What an id is called; ids of nobody who is still here stay as they are, shortened. */
  name: (id: string) => string;
}

/** Everybody at this server, while a component lives; nobody where there are no accounts. */
export function people(): People {
  const users = resource(async (signal) =>
    session.hasAccounts ? (await api.get('/api/v1/users', { signal })).users : [],
  );
  const names = $derived(new Map((users.data ?? []).map((one) => [one.id, one.name])));
  return {
    get all() {
      return users.data ?? [];
    },
    name: (id) => names.get(id) ?? (/^[0-9a-f]{32}$/.test(id) ? `${id.slice(0, 8)}…` : id),
  };
}
