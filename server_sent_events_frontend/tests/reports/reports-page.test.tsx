import { act, cleanup, fireEvent, render, screen, within } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { App } from '../../src/app';
import { FakeEventSource, installBrowser, removeBrowser, settle } from '../stream/fakes';

const userId = '6f1d2c3b-4a59-4e68-9f70-8192a3b4c5d6';
const reportId = '01a20670-d046-7b1c-8a93-75d2b6d55dac';
const at = '2026-01-01T00:00:00.000Z';
const report = { userId, reportId, reportStatus: 'pending', version: 1, createdAt: at, updatedAt: at };

type Answer = () => Promise<Response>;
let answers: Record<string, Answer>;
let requests: { route: string; init: RequestInit }[];

function json(status: number, body: unknown, type = 'application/json'): Answer {
  const headers = { 'content-type': type, 'last-event-id': 's-5' };
  return () => Promise.resolve(new Response(JSON.stringify(body), { status, headers }));
}

function problem(status: number, detail: string): Answer {
  return json(status, { title: 'Refused', status, detail }, 'application/problem+json');
}

async function open(): Promise<void> {
  localStorage.setItem('rillgate.user', userId);
  render(<App />);
  await act(settle);
}

async function click(name: string): Promise<void> {
  fireEvent.click(screen.getAllByRole('button', { name })[0]!);
  await act(settle);
}

async function send(type: string, id: string, data: unknown): Promise<void> {
  await act(async () => {
    FakeEventSource.only.send(type, id, JSON.stringify(data));
    await settle();
  });
}

beforeEach(() => {
  installBrowser();
  window.location.hash = '';
  requests = [];
  answers = {
    'GET /v4/reports': json(200, [report]),
    'GET /v4/report/history': json(200, [{ version: 1, from: null, to: 'pending', at }]),
  };
  vi.stubGlobal('fetch', (path: string, init: RequestInit = {}) => {
    const route = `${init.method ?? 'GET'} ${path.split('?')[0]}`;
    requests.push({ route, init });
    return answers[route]!();
  });
});

afterEach(() => {
  cleanup();
  localStorage.clear();
  removeBrowser();
});

describe('the page of reports', () => {
  it('shows the list and follows the stream from the position of the list', async () => {
    await open();
    expect(FakeEventSource.only.url).toBe(`/v4/sse?user_id=${userId}&last_event_id=s-5`);
    await send('stream-open', 's-5', '');
    expect(screen.getByText('Live')).toBeTruthy();
    await send('report_status_update', 's-6', { id: reportId, status: 'queued', version: 2, updatedAt: at });
    const row = screen.getByRole('row', { name: /b6d55dac/ });
    expect(within(row).getByText('queued')).toBeTruthy();
    expect(screen.getByText('Report b6d55dac is now queued.')).toBeTruthy();
  });

  it('says that there are none yet', async () => {
    answers['GET /v4/reports'] = json(200, []);
    await open();
    expect(screen.getByText('No reports yet.')).toBeTruthy();
  });

  it('shows why the list cannot be had, tries again when that may help, and goes on by itself', async () => {
    answers['GET /v4/reports'] = problem(503, 'The store is down.');
    await open();
    expect(screen.getByRole('alert').textContent).toBe('The store is down. Trying again.');
    answers['GET /v4/reports'] = json(200, [report]);
    await act(() => vi.advanceTimersByTimeAsync(1_000));
    expect(screen.queryByRole('alert')).toBeNull();
    expect(screen.getByRole('row', { name: /b6d55dac/ })).toBeTruthy();
  });

  it('does not insist on what is forbidden', async () => {
    answers['GET /v4/reports'] = problem(403, 'The token is for another user.');
    await open();
    await act(() => vi.advanceTimersByTimeAsync(60_000));
    expect(requests).toHaveLength(1);
    expect(screen.getByRole('alert').textContent).toContain('The token is for another user.');
    answers['GET /v4/reports'] = json(200, [report]);
    await click('Try again');
    expect(screen.getByRole('row', { name: /b6d55dac/ })).toBeTruthy();
  });

  it('moves a report and shows the answer before its event comes', async () => {
    answers['PUT /v4/report'] = json(200, { ...report, reportStatus: 'queued', version: 2 });
    await open();
    await click('queued');
    expect(within(screen.getByRole('row', { name: /b6d55dac/ })).getByText('queued')).toBeTruthy();
  });

  it("shows the server's reason for not moving a report", async () => {
    answers['PUT /v4/report'] = problem(412, 'The report is at version 2 by now.');
    await open();
    await click('Move to canceled');
    expect(screen.getByRole('alert').textContent).toBe('Not moved to canceled. The report is at version 2 by now.');
  });

  it('creates one report for a click, however often the request has to be sent', async () => {
    answers['POST /v4/new/report'] = () => Promise.reject(new TypeError('connection lost'));
    await open();
    await click('Create New Report');
    answers['POST /v4/new/report'] = json(201, { ...report, reportId: '01a20670-d046-7b1c-8a93-00000000cafe' });
    await act(() => vi.advanceTimersByTimeAsync(1_000));
    expect(screen.getByRole('row', { name: /0000cafe/ })).toBeTruthy();
    await click('Create New Report');
    const keys = requests
      .filter(({ route }) => route === 'POST /v4/new/report')
      .map(({ init }) => (init.headers as Record<string, string>)['Idempotency-Key']);
    expect(keys).toHaveLength(3);
    expect(keys[0]).toBe(keys[1]);
    expect(keys[2]).not.toBe(keys[0]);
  });

  it('offers another attempt at a report that could not be created', async () => {
    answers['POST /v4/new/report'] = problem(413, 'Too large.');
    await open();
    await click('Create New Report');
    expect(screen.getByRole('alert').textContent).toContain('A report was not created. Too large.');
    answers['POST /v4/new/report'] = json(201, { ...report, reportId: '01a20670-d046-7b1c-8a93-00000000cafe' });
    await click('Try again');
    expect(screen.queryByRole('alert')).toBeNull();
    expect(screen.getByRole('row', { name: /0000cafe/ })).toBeTruthy();
  });

  it('shows the history of the report that is picked', async () => {
    await open();
    const history = screen.getByRole('region', { name: 'History' });
    expect(within(history).getByText('v1')).toBeTruthy();
    answers['GET /v4/report/history'] = json(200, [
      { version: 1, from: null, to: 'pending', at },
      { version: 2, from: 'pending', to: 'queued', at: '2026-01-01T00:01:30.000Z' },
    ]);
    await send('report_status_update', 's-6', { id: reportId, status: 'queued', version: 2, updatedAt: at });
    expect(within(history).getByText('after 1 min')).toBeTruthy();
  });

  it('forgets the user and ends the stream at log-out', async () => {
    await open();
    await click('Log out');
    expect(localStorage.length).toBe(0);
    expect(FakeEventSource.open).toEqual([]);
    expect(screen.getByLabelText('User ID')).toBeTruthy();
  });

  it('logs out with the other tabs', async () => {
    await open();
    localStorage.clear();
    fireEvent(window, new StorageEvent('storage'));
    expect(screen.getByLabelText('User ID')).toBeTruthy();
  });
});
