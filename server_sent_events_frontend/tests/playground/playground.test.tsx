import { act, cleanup, fireEvent, render, screen, within } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Playground } from '../../src/playground/playground';
import { FakeEventSource, installBrowser, removeBrowser, settle } from '../stream/fakes';

const fetching = vi.fn<typeof fetch>();

function fill(label: string, value: string): void {
  fireEvent.change(screen.getByLabelText(label), { target: { value } });
}

async function click(name: string): Promise<void> {
  fireEvent.click(screen.getByRole('button', { name }));
  await act(settle);
}

beforeEach(() => {
  installBrowser();
  vi.stubGlobal('fetch', fetching);
  render(<Playground />);
});

afterEach(() => {
  cleanup();
  fetching.mockReset();
  removeBrowser();
});

describe('the playground', () => {
  it('opens a stream, shows what comes, and resumes after a cut', async () => {
    fill('Name', 'Zoë & co');
    await click('Open stream');
    expect(FakeEventSource.only.url).toBe('/v2/sse?username=Zo%C3%AB+%26+co');
    act(() => FakeEventSource.only.send('message', 'e-1', 'Howdy 🤠'));
    const events = screen.getByRole('region', { name: 'Events of V2 Zoë & co' });
    expect(within(events).getByText('Howdy 🤠')).toBeTruthy();
    expect(within(events).getByText('e-1')).toBeTruthy();
    await click('Cut');
    expect(FakeEventSource.open).toEqual([]);
    await click('Resume');
    expect(FakeEventSource.only.resumedFrom).toBe('e-1');
  });

  it('begins with what is kept where that is wanted', async () => {
    fireEvent.click(screen.getByLabelText('Begin with the earliest message that is kept'));
    await click('Open stream');
    expect(FakeEventSource.only.resumedFrom).toBe('earliest');
  });

  it('hears the event types that it sends', async () => {
    await click('Open stream');
    fetching.mockResolvedValue(new Response('{"id":"e-2","streams":1}', { status: 202 }));
    fill('Event type', 'greeting');
    await click('Send');
    expect(fetching.mock.calls[0]![0]).toBe('/v2/message?username=demo&event=greeting');
    expect(fetching.mock.calls[0]![1]!.body).toBe('Howdy 🤠 from version 2️⃣');
    expect(screen.getByText('202 {"id":"e-2","streams":1}')).toBeTruthy();
    act(() => FakeEventSource.only.send('greeting', 'e-2', 'heard'));
    expect(screen.getByText('heard')).toBeTruthy();
  });

  it('finds out why a stream is refused, and does not insist', async () => {
    const headers = { 'content-type': 'application/problem+json' };
    fetching.mockResolvedValue(new Response('{"detail":"username must not be *"}', { status: 400, headers }));
    fill('Name', '*');
    await click('Open stream');
    await act(async () => {
      FakeEventSource.only.refuse();
      await vi.advanceTimersByTimeAsync(120_000);
    });
    expect(screen.getByRole('alert').textContent).toBe('username must not be *');
    expect(FakeEventSource.open).toEqual([]);
  });

  it('opens no more streams than leave a connection free', async () => {
    for (let i = 0; i < 4; i += 1) await click('Open stream');
    expect(screen.getByRole<HTMLButtonElement>('button', { name: 'Open stream' }).disabled).toBe(true);
    expect(FakeEventSource.open).toHaveLength(4);
    fireEvent.click(screen.getAllByRole('button', { name: /^Close/ })[0]!);
    expect(FakeEventSource.open).toHaveLength(3);
  });
});
