import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Refusal, Unreachable } from '../../src/api';
import type { Report } from '../../src/reports/report';
import { changeStatus, createReport, listReports } from '../../src/reports/requests';

const fetching = vi.fn<typeof fetch>();
const never = new AbortController().signal;

beforeEach(() => vi.stubGlobal('fetch', fetching));
afterEach(() => {
  vi.unstubAllGlobals();
  fetching.mockReset();
});

function answer(status: number, body: unknown, headers: Record<string, string> = {}): void {
  fetching.mockResolvedValueOnce(new Response(JSON.stringify(body), { status, headers }));
}

const report: Report = {
  userId: 'u',
  reportId: 'r',
  reportStatus: 'pending',
  version: 7,
  createdAt: '2026-01-01T00:00:00.000Z',
  updatedAt: '2026-01-01T00:00:00.000Z',
};

describe('a request', () => {
  it('reads the position of the list and the path of the next page', async () => {
    answer(200, [report], {
      'last-event-id': 's-12',
      link: '<https://elsewhere:1/v4/reports?user_id=u&cursor=c%2F1>; rel="next"',
    });
    const page = await listReports('u', 0, never);
    expect(page).toEqual({ reports: [report], next: '/v4/reports?user_id=u&cursor=c%2F1', position: 's-12' });
    expect(fetching.mock.calls[0]![0]).toBe('/v4/reports?user_id=u&limit=100');
  });

  it('asks for as many reports as are shown, within the limit of the server', async () => {
    for (const [shown, limit] of [
      [250, 250],
      [4_000, 1_000],
    ] as const) {
      answer(200, [], { 'last-event-id': 's-1' });
      await listReports('u', shown, never);
      expect(fetching.mock.lastCall![0]).toBe(`/v4/reports?user_id=u&limit=${limit}`);
    }
  });

  it('does not open a stream from nowhere', async () => {
    answer(200, []);
    await expect(listReports('u', 0, never)).rejects.toThrow('without its position');
  });

  it('names the version that the person saw', async () => {
    answer(200, { ...report, version: 8 });
    await changeStatus(report, 'queued');
    const { method, headers, body } = fetching.mock.calls[0]![1]!;
    expect(method).toBe('PUT');
    expect(headers).toMatchObject({ 'If-Match': '"7"' });
    expect(body).toBe('{"id":"r","status":"queued"}');
  });

  it('hands on the reason of a refusal', async () => {
    answer(
      409,
      { title: 'Conflict', status: 409, detail: 'pending cannot become failed' },
      {
        'content-type': 'application/problem+json',
      },
    );
    await expect(changeStatus(report, 'failed')).rejects.toEqual(new Refusal(409, 'pending cannot become failed'));
  });

  it('makes do without a reason', async () => {
    fetching.mockResolvedValueOnce(new Response('<h1>proxy</h1>', { status: 502, statusText: 'Bad Gateway' }));
    await expect(createReport('u', 'k')).rejects.toThrow('The server answered 502 Bad Gateway.');
  });

  it('says so when nobody answers', async () => {
    fetching.mockRejectedValueOnce(new TypeError('Failed to fetch'));
    await expect(createReport('u', 'k')).rejects.toBeInstanceOf(Unreachable);
  });
});
