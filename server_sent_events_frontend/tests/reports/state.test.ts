import { describe, expect, it } from 'vitest';
import type { Report, Status } from '../../src/reports/report';
import { initialState, reduce, type ReportsState } from '../../src/reports/state';

function report(id: string, createdAt: string, status: Status = 'pending', version = 1): Report {
  return { userId: 'u', reportId: id, reportStatus: status, version, createdAt, updatedAt: createdAt };
}

const older = report('older', '2026-01-01T00:00:00.000Z');
const newer = report('newer', '2026-01-02T00:00:00.000Z');

function listed(reports: Report[], next: string | null = null): ReportsState {
  return reduce(initialState, { type: 'listed', page: { reports, next, position: 'p' } });
}

function ids(state: ReportsState): string[] {
  return state.reports!.map((each) => each.reportId);
}

describe('the list of reports', () => {
  it('takes a newer version and ignores an older one and a repeat', () => {
    const update = { id: 'older', status: 'queued' as const, version: 2, updatedAt: 'then' };
    const once = reduce(listed([older]), { type: 'update', update });
    expect(once.reports).toEqual([{ ...older, reportStatus: 'queued', version: 2, updatedAt: 'then' }]);
    expect(reduce(once, { type: 'update', update })).toBe(once);
    expect(reduce(once, { type: 'update', update: { ...update, status: 'pending', version: 1 } })).toBe(once);
    expect(reduce(once, { type: 'report', report: older })).toBe(once);
  });

  it('puts a new report where its time belongs', () => {
    expect(ids(reduce(listed([older]), { type: 'report', report: newer }))).toEqual(['newer', 'older']);
    expect(ids(reduce(listed([newer]), { type: 'report', report: older }))).toEqual(['newer', 'older']);
    expect(ids(reduce(listed([]), { type: 'report', report: older }))).toEqual(['older']);
  });

  it('leaves what belongs to a later page to that page', () => {
    const state = listed([newer], '/next');
    expect(reduce(state, { type: 'report', report: older })).toBe(state);
    const update = { id: 'older', status: 'queued' as const, version: 2, updatedAt: 'then' };
    expect(reduce(state, { type: 'update', update })).toBe(state);
  });

  it('appends a page without what it shows already', () => {
    const page = { reports: [newer, older], next: null, position: 'p' };
    const state = reduce(listed([newer], '/next'), { type: 'more', page });
    expect(ids(state)).toEqual(['newer', 'older']);
    expect(state.next).toBeNull();
  });

  it('tells each change in words, once', () => {
    const created = reduce(listed([older]), { type: 'report', report: newer });
    expect(created.news).toEqual({ text: 'New report newer, pending.', count: 1 });
    const update = { id: 'newer', status: 'canceled' as const, version: 2, updatedAt: 'then' };
    const changed = reduce(created, { type: 'update', update });
    expect(changed.news).toEqual({ text: 'Report newer is now canceled.', count: 2 });
    expect(reduce(changed, { type: 'update', update }).news.count).toBe(2);
  });
});
