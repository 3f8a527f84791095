// Places of the browser where the studio keeps things. A browser that keeps nothing loses only the comfort.
import type { Shelf } from '../state/shelf';

function shelf(storage: () => Storage, name: string): Shelf {
  const key = `autodub.${name}`;
  return {
    read: () => {
      try {
        return storage().getItem(key);
      } catch {
        return null;
      }
    },
    write: (text) => {
      try {
        if (text === null) storage().removeItem(key);
        else storage().setItem(key, text);
      } catch {
        // Private windows and full disks: what is edited is saved by the server in a moment.
      }
    },
  };
}
/** Kept until it is taken away. */
export const shelfOf = (name: string): Shelf => shelf(() => localStorage, name);
/** Kept as long as the tab. */
export const sessionShelf = (name: string): Shelf => shelf(() => sessionStorage, name);
