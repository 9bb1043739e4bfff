import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FinalError, SharedStream, type StreamStatus } from '../../src/stream';
import { timing } from '../../src/stream/timing';
import { FakeBroadcastChannel, FakeEventSource, installBrowser, removeBrowser, settle } from './fakes';

/** What the server has: events 1 to n, of which a load covers all. */
let newest: number;
let tabs: Tab[];

class Tab {
  loads = 0;
  /** What this tab knows: the newest event of the snapshot, then what came. */
  known: number[] = [];
  status: StreamStatus | undefined;
  answer: (() => Promise<string>) | undefined;
  channel: FakeBroadcastChannel | undefined;
  readonly stream: SharedStream;

  constructor() {
    this.stream = new SharedStream({
      url: '/v4/sse?user_id=u',
      types: ['change'],
      load: async () => {
        this.loads += 1;
        const position = this.answer ? await this.answer() : String(newest);
        this.known = [Number(position)];
        return position;
      },
      onEvent: (event) => this.known.push(Number(event.id)),
      onStatus: (status) => (this.status = status),
    });
    tabs.push(this);
  }
}

async function openTab(): Promise<Tab> {
  const tab = new Tab();
  await settle();
  tab.channel = [...FakeBroadcastChannel.all].at(-1);
  return tab;
}

/** The server stores an event and sends it on the one stream. */
async function change(): Promise<void> {
  newest += 1;
  FakeEventSource.only.send('change', String(newest));
  await settle();
}

function role(tab: Tab): string | undefined {
  return tab.status?.role;
}

beforeEach(() => {
  installBrowser();
  newest = 10;
  tabs = [];
});

afterEach(() => {
  for (const tab of tabs) tab.stream.close();
  removeBrowser();
});

describe('the tabs of a user', () => {
  it('load, then share one stream that begins where the load ended', async () => {
    const first = await openTab();
    expect(FakeEventSource.only.resumedFrom).toBe('10');
    FakeEventSource.only.send('stream-open', '10');
    const others = [];
    for (let i = 0; i < 7; i += 1) others.push(await openTab());
    await change();
    await change();
    expect(FakeEventSource.open).toHaveLength(1);
    expect(role(first)).toBe('leader');
    for (const tab of [first, ...others]) {
      expect(tab.known).toEqual([10, 11, 12]);
      expect(tab.loads).toBe(1);
      expect(tab.status?.phase).toBe('live');
    }
    expect(others.map(role)).toEqual(Array(7).fill('follower'));
  });

  it('lose nothing when the leader closes', async () => {
    const first = await openTab();
    const second = await openTab();
    const third = await openTab();
    await change();
    first.stream.close();
    newest += 1; // while nobody listens
    await settle();
    expect(role(second)).toBe('leader');
    expect(FakeEventSource.only.resumedFrom).toBe('11');
    FakeEventSource.only.send('stream-open', '11');
    FakeEventSource.only.send('change', '12');
    await settle();
    for (const tab of [second, third]) {
      expect(tab.known).toEqual([10, 11, 12]);
      expect(tab.loads).toBe(1);
    }
  });

  it('load again when a new leader begins at a place that they have not been to', async () => {
    const first = await openTab();
    await openTab();
    const third = await openTab();
    third.channel!.deaf = true; // it does not hear of 11
    await change();
    third.channel!.deaf = false;
    first.stream.close();
    await settle();
    expect(FakeEventSource.only.resumedFrom).toBe('11');
    await change();
    expect(third.known).toEqual([11, 12]);
    expect(third.loads).toBe(2);
  });

  it('get what lies between a lagging stream and their own load', async () => {
    const first = await openTab();
    const second = await openTab();
    newest = 15; // stored, but the stream of the first hangs
    const third = await openTab();
    first.stream.close();
    await settle();
    expect(FakeEventSource.only.resumedFrom).toBe('10');
    for (const id of ['11', '12', '13', '14', '15', '16']) FakeEventSource.only.send('change', id);
    await settle();
    expect(second.known).toEqual([10, 11, 12, 13, 14, 15, 16]);
    expect(third.known).toEqual([15, 11, 12, 13, 14, 16]); // the old ones lose by their versions
  });

  it('drop what a new leader is sent again', async () => {
    const first = await openTab();
    const second = await openTab();
    const third = await openTab();
    second.channel!.deaf = true; // it does not hear of 11
    await change();
    second.channel!.deaf = false;
    first.stream.close();
    await settle();
    expect(FakeEventSource.only.resumedFrom).toBe('10');
    FakeEventSource.only.send('change', '11');
    FakeEventSource.only.send('change', '12');
    await settle();
    expect(second.known).toEqual([10, 11, 12]);
    expect(third.known).toEqual([10, 11, 12]);
  });

  it('hold back events during a load, and hand them on after it', async () => {
    await openTab();
    let finish: (position: string) => void = () => {};
    const slow = new Tab();
    slow.answer = () => new Promise((resolve) => (finish = resolve));
    await settle();
    await change();
    await change();
    expect(slow.known).toEqual([]);
    finish('11');
    await settle();
    expect(slow.known).toEqual([11, 12]);
  });

  it('all load again after a gap', async () => {
    const first = await openTab();
    const second = await openTab();
    newest = 99;
    FakeEventSource.only.send('stream-gap', '50', '{"requested":"10","oldest":"51"}');
    await settle();
    FakeEventSource.only.send('change', '100');
    await settle();
    for (const tab of [first, second]) expect(tab.known).toEqual([99, 100]);
  });

  it('take the lead from a tab that is frozen, and it follows when it wakes', async () => {
    const first = await openTab();
    const second = await openTab();
    FakeEventSource.only.send('stream-open', '10');
    await settle();
    first.channel!.freeze();
    await vi.advanceTimersByTimeAsync(timing.tickMs + timing.leaderAnswerMs);
    first.channel!.thaw();
    await vi.advanceTimersByTimeAsync(timing.tickMs);
    expect(role(second)).toBe('leader');
    expect(role(first)).toBe('follower');
    await change();
    expect(first.known).toEqual([10, 11]);
    expect(second.known).toEqual([10, 11]);
  });

  it('do not take the lead from a tab that is only quiet', async () => {
    const first = await openTab();
    const second = await openTab();
    const stream = FakeEventSource.only;
    stream.send('stream-open', '10');
    await vi.advanceTimersByTimeAsync(timing.silenceMs - timing.tickMs);
    expect(role(first)).toBe('leader');
    expect(role(second)).toBe('follower');
    expect(FakeEventSource.only).toBe(stream);
  });

  it('give the stream up while their page is put aside, and catch up after it', async () => {
    const tab = await openTab();
    const persisted = (type: string) => Object.assign(new Event(type), { persisted: true });
    window.dispatchEvent(persisted('pagehide'));
    await settle();
    expect(FakeEventSource.open).toEqual([]);
    window.dispatchEvent(persisted('pageshow'));
    await settle();
    expect(FakeEventSource.only.resumedFrom).toBe('10');
    expect(tab.loads).toBe(1);
  });

  it('load again after it when they were put aside in the middle of a load', async () => {
    const tab = await openTab();
    tab.answer = () => new Promise(() => {});
    FakeEventSource.only.send('stream-gap', '50');
    window.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: true }));
    tab.answer = undefined;
    newest = 60;
    window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }));
    await settle();
    expect(tab.known).toEqual([60]);
  });

  it('do not listen to a leader that was replaced', async () => {
    const first = await openTab();
    const second = await openTab();
    const ghost = new FakeBroadcastChannel(first.channel!.name);
    ghost.postMessage({ kind: 'lead', term: 1, at: '3', phase: 'live' });
    ghost.postMessage({ kind: 'event', term: 1, event: { type: 'change', id: '4', data: '' } });
    await settle();
    expect(second.loads).toBe(1);
    expect(second.known).toEqual([10]);
  });

  it('do not lead once they are closed', async () => {
    const first = await openTab();
    const second = await openTab();
    FakeEventSource.only.send('stream-open', '10');
    await settle();
    first.channel!.freeze();
    vi.advanceTimersByTime(timing.tickMs + timing.leaderAnswerMs);
    second.stream.close(); // it is just taking the lead
    await settle();
    expect(FakeEventSource.open.length).toBeLessThanOrEqual(1);
    first.stream.close();
    await settle();
    expect(FakeEventSource.open).toEqual([]);
  });

  it('mirror the state of the one connection', async () => {
    await openTab();
    const second = await openTab();
    FakeEventSource.only.send('stream-open', '10');
    await settle();
    expect(second.status?.phase).toBe('live');
    FakeEventSource.only.drop();
    await settle();
    expect(second.status?.phase).toBe('retrying');
  });
});

describe('a tab', () => {
  it('tries to load again until it can', async () => {
    const tab = new Tab();
    tab.answer = () => Promise.reject(new Error('down'));
    await settle();
    expect(tab.status?.error).toEqual(new Error('down'));
    expect(FakeEventSource.open).toEqual([]);
    tab.answer = undefined;
    await vi.advanceTimersByTimeAsync(timing.backoffFirstMs);
    expect(tab.status?.error).toBeNull();
    expect(FakeEventSource.only.resumedFrom).toBe('10');
  });

  it('ends at a final refusal', async () => {
    const tab = new Tab();
    tab.answer = () => Promise.reject(new FinalError('no such user'));
    await vi.advanceTimersByTimeAsync(120_000);
    expect(tab.loads).toBe(1);
    expect(tab.status).toMatchObject({ phase: 'closed', error: new FinalError('no such user') });
  });

  it('asks for the reason when its stream is refused', async () => {
    const tab = await openTab();
    FakeEventSource.only.refuse(); // by a proxy, for a moment
    await settle();
    expect(tab.loads).toBe(2);
    await vi.advanceTimersByTimeAsync(timing.backoffFirstMs);
    tab.answer = () => Promise.reject(new FinalError('the token expired'));
    FakeEventSource.only.refuse();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(FakeEventSource.open).toEqual([]);
    expect(tab.status).toMatchObject({ phase: 'closed', error: new FinalError('the token expired') });
  });

  it('has a stream of its own where the browser has no locks', async () => {
    Reflect.deleteProperty(navigator, 'locks');
    const tab = await openTab();
    const other = await openTab();
    expect(FakeEventSource.open).toHaveLength(2);
    expect([role(tab), role(other)]).toEqual(['alone', 'alone']);
  });

  it('calls back nobody once it is closed', async () => {
    const tab = new Tab();
    tab.stream.close();
    await settle();
    expect(tab.loads).toBe(0);
    expect(FakeEventSource.open).toEqual([]);
  });
});
