/** The routes of V4. */
import { request } from '../api';
import type { Report, Status, Transition } from './report';

export interface Page {
  reports: Report[];
  /** The path of the next page; null on the last. */
  next: string | null;
  /** A position read before the list: a stream opened there continues it. */
  position: string;
}

export const pageSize = 100;
const pageSizeMax = 1_000;

/** The newest reports, at least `atLeast` of them where the server's limit allows it. */
export function listReports(userId: string, atLeast: number, signal: AbortSignal): Promise<Page> {
  const limit = Math.min(pageSizeMax, Math.max(pageSize, atLeast));
  return getPage(`/v4/reports?${new URLSearchParams({ user_id: userId, limit: String(limit) })}`, signal);
}

export async function getPage(path: string, signal?: AbortSignal): Promise<Page> {
  const response = await request(path, signal ? { signal } : {});
  const position = response.headers.get('last-event-id');
  if (!position) throw new Error('The list of reports came without its position.');
  return { reports: (await response.json()) as Report[], next: nextPage(response), position };
}

export async function createReport(userId: string, idempotencyKey: string): Promise<Report> {
  const response = await request(`/v4/new/report?${new URLSearchParams({ user_id: userId })}`, {
    method: 'POST',
    headers: { 'Idempotency-Key': idempotencyKey },
  });
  return (await response.json()) as Report;
}

/** Refused with 412 when the report is no longer at the version that the person saw. */
export async function changeStatus(report: Report, status: Status): Promise<Report> {
  const response = await request(`/v4/report?${new URLSearchParams({ user_id: report.userId })}`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/json', 'If-Match': `"${report.version}"` },
    body: JSON.stringify({ id: report.reportId, status }),
  });
  return (await response.json()) as Report;
}

export async function getHistory(report: Report, signal: AbortSignal): Promise<Transition[]> {
  const query = new URLSearchParams({ user_id: report.userId, report_id: report.reportId });
  const response = await request(`/v4/report/history?${query}`, { signal });
  return (await response.json()) as Transition[];
}

export function streamUrl(userId: string): string {
  return `/v4/sse?${new URLSearchParams({ user_id: userId })}`;
}

/** Only path and query: behind a proxy the server may know itself by another name. */
function nextPage(response: Response): string | null {
  const target = /<([^>]*)>\s*;\s*rel="?next"?/.exec(response.headers.get('link') ?? '')?.[1];
  if (target === undefined) return null;
  const url = new URL(target, window.location.href);
  return url.pathname + url.search;
}
