/** Which page is shown, kept in the fragment: the server serves one document and needs to know nothing of it. */
import { useSyncExternalStore } from 'react';

export type Route = { page: 'reports'; reportId: string | null } | { page: 'playground' };

export const reportsPath = '#/reports';
export const playgroundPath = '#/playground';

export function reportPath(reportId: string): string {
  return `${reportsPath}/${reportId}`;
}

export function useRoute(): Route {
  return parseRoute(useSyncExternalStore(subscribe, () => window.location.hash));
}

export function parseRoute(hash: string): Route {
  if (hash.startsWith(playgroundPath)) return { page: 'playground' };
  const reportId = hash.startsWith(`${reportsPath}/`) ? hash.slice(reportsPath.length + 1) : '';
  return { page: 'reports', reportId: reportId || null };
}

function subscribe(listener: () => void): () => void {
  window.addEventListener('hashchange', listener);
  return () => window.removeEventListener('hashchange', listener);
}
