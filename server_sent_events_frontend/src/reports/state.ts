/**
 * The reports that a page shows, newest first, and how each piece of news changes them. Pure. News comes from three
 * sides (the list, the stream, answers to our own requests) in any order and more than once; the version decides.
 */
import { shortId, type Report, type StatusUpdate } from './report';
import type { Page } from './requests';

export interface ReportsState {
  /** Null until the first list is there. */
  reports: readonly Report[] | null;
  /** The path of the page behind the last that is shown. */
  next: string | null;
  /** The latest change in words, for those who listen instead of looking; `count` tells two equal ones apart. */
  news: { text: string; count: number };
}

export type ReportsAction =
  | { type: 'listed'; page: Page }
  | { type: 'more'; page: Page }
  /** A whole report, from an answer or a `report_created`. */
  | { type: 'report'; report: Report }
  | { type: 'update'; update: StatusUpdate };

export const initialState: ReportsState = { reports: null, next: null, news: { text: '', count: 0 } };

export function reduce(state: ReportsState, action: ReportsAction): ReportsState {
  switch (action.type) {
    case 'listed':
      return { ...state, reports: action.page.reports, next: action.page.next };
    case 'more':
      return { ...state, reports: append(state.reports ?? [], action.page.reports), next: action.page.next };
    case 'report':
      return put(state, action.report);
    case 'update':
      return update(state, action.update);
  }
}

/** What is shown already may be newer than the page that was asked for before it changed. */
function append(shown: readonly Report[], older: readonly Report[]): Report[] {
  const known = new Set(shown.map((report) => report.reportId));
  return [...shown, ...older.filter((report) => !known.has(report.reportId))];
}

function put(state: ReportsState, report: Report): ReportsState {
  const shown = state.reports ?? [];
  const known = shown.find((other) => other.reportId === report.reportId);
  if (known) {
    const { reportId: id, reportStatus: status, version, updatedAt } = report;
    return update(state, { id, status, version, updatedAt });
  }
  const at = shown.findIndex((other) => other.createdAt <= report.createdAt);
  // Older than all that is shown: its page comes later.
  if (at === -1 && state.next !== null) return state;
  const before = at === -1 ? shown.length : at;
  return {
    ...state,
    reports: [...shown.slice(0, before), report, ...shown.slice(before)],
    news: tell(state, `New report ${shortId(report.reportId)}, ${report.reportStatus}.`),
  };
}

/** A report that is not shown is on a later page, which will come with its newest state. */
function update(state: ReportsState, { id, status, version, updatedAt }: StatusUpdate): ReportsState {
  const known = state.reports?.find((report) => report.reportId === id);
  if (!state.reports || !known || known.version >= version) return state;
  return {
    ...state,
    reports: state.reports.map((report) =>
      report === known ? { ...report, reportStatus: status, version, updatedAt } : report,
    ),
    news: tell(state, `Report ${shortId(id)} is now ${status}.`),
  };
}

function tell(state: ReportsState, text: string): ReportsState['news'] {
  return { text, count: state.news.count + 1 };
}
