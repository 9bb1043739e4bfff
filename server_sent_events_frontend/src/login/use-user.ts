/** Who is logged in, remembered by the browser: logging in or out in one tab does so in all. */
import { useCallback, useSyncExternalStore } from 'react';
import { parseUuid } from './uuid';

const storageKey = 'rillgate.user';
const changed = 'rillgate-user-changed';

export function useUser(): [userId: string | null, setUser: (userId: string | null) => void] {
  const userId = useSyncExternalStore(subscribe, read);
  const setUser = useCallback((next: string | null) => {
    if (next === null) localStorage.removeItem(storageKey);
    else localStorage.setItem(storageKey, next);
    window.dispatchEvent(new Event(changed));
  }, []);
  return [userId, setUser];
}

function read(): string | null {
  return parseUuid(localStorage.getItem(storageKey) ?? '');
}

/** `storage` tells the other tabs only, so this one has an event of its own. */
function subscribe(listener: () => void): () => void {
  window.addEventListener('storage', listener);
  window.addEventListener(changed, listener);
  return () => {
    window.removeEventListener('storage', listener);
    window.removeEventListener(changed, listener);
  };
}
