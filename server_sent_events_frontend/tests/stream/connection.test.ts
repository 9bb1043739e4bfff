import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Connection, type Phase, type StreamEvent } from '../../src/stream';
import { timing } from '../../src/stream/timing';
import { FakeEventSource, installBrowser, removeBrowser } from './fakes';

let events: StreamEvent[];
let phases: Phase[];
let connection: Connection;

function open(lastEventId = ''): Connection {
  connection = new Connection({
    url: '/v2/sse?username=demo',
    types: ['greeting'],
    lastEventId,
    onEvent: (event) => events.push(event),
    onPhase: (phase) => phases.push(phase),
  });
  connection.open();
  return connection;
}

beforeEach(() => {
  installBrowser();
  events = [];
  phases = [];
});

afterEach(() => {
  connection.close();
  removeBrowser();
});

describe('a connection', () => {
  it('asks for everything after the id it was given', () => {
    open('e:1~x');
    expect(FakeEventSource.only.url).toBe('/v2/sse?username=demo&last_event_id=e%3A1~x');
  });

  it('is live once the stream speaks, and hands on messages and named events with their ids', () => {
    open();
    expect(phases).toEqual(['connecting']);
    FakeEventSource.only.send('stream-open', '7');
    FakeEventSource.only.send('message', '8', 'howdy 🤠');
    FakeEventSource.only.send('greeting', '9', 'hi');
    FakeEventSource.only.send('other', '10', 'not asked for');
    expect(phases).toEqual(['connecting', 'live']);
    expect(events.map((event) => [event.type, event.id, event.data])).toEqual([
      ['stream-open', '7', ''],
      ['message', '8', 'howdy 🤠'],
      ['greeting', '9', 'hi'],
    ]);
  });

  it('leaves a dropped connection to the browser, which obeys the server', () => {
    open();
    const source = FakeEventSource.only;
    source.send('stream-open', '7');
    source.drop();
    expect(connection.phase).toBe('retrying');
    expect(FakeEventSource.only).toBe(source);
    source.send('stream-open', '7');
    expect(connection.phase).toBe('live');
  });

  it('does not believe for ever that the browser will reconnect', () => {
    open();
    const source = FakeEventSource.only;
    source.send('stream-open', '7');
    source.drop();
    vi.advanceTimersByTime(timing.browserRetryMs + timing.backoffFirstMs);
    expect(FakeEventSource.only).not.toBe(source);
    expect(FakeEventSource.only.resumedFrom).toBe('7');
  });

  it('reopens from the last id where the browser gave up, each time later', () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    open();
    FakeEventSource.only.send('message', '41', 'x');
    for (const wait of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      FakeEventSource.only.refuse();
      expect(FakeEventSource.open).toEqual([]);
      vi.advanceTimersByTime(wait - 1);
      expect(FakeEventSource.open).toEqual([]);
      vi.advanceTimersByTime(1);
      expect(FakeEventSource.only.resumedFrom).toBe('41');
    }
    FakeEventSource.only.send('stream-open', '41');
    FakeEventSource.only.refuse();
    vi.advanceTimersByTime(1_000);
    expect(FakeEventSource.only.resumedFrom).toBe('41');
  });

  it('gives up on a server that accepts and stays mute', () => {
    open('5');
    const mute = FakeEventSource.only;
    vi.advanceTimersByTime(timing.openMs + timing.backoffFirstMs);
    expect(FakeEventSource.only).not.toBe(mute);
    expect(FakeEventSource.only.resumedFrom).toBe('5');
  });

  it('does not call a refused stream live', () => {
    open();
    FakeEventSource.only.send('stream-close');
    FakeEventSource.only.drop();
    expect(phases).toEqual(['connecting', 'retrying']);
  });

  it('replaces a connection that was silent for too long, without saying so', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    open();
    FakeEventSource.only.send('stream-open', '7');
    const silent = FakeEventSource.only;
    vi.advanceTimersByTime(timing.silenceMs);
    expect(FakeEventSource.only).toBe(silent);
    vi.advanceTimersByTime(timing.tickMs);
    expect(FakeEventSource.only).not.toBe(silent);
    expect(FakeEventSource.only.resumedFrom).toBe('7');
    expect(connection.phase).toBe('live');
  });

  it('looks at its connection when the machine slept', () => {
    open();
    FakeEventSource.only.send('stream-open', '7');
    const before = FakeEventSource.only;
    vi.setSystemTime(Date.now() + timing.sleptMs);
    vi.advanceTimersByTime(timing.tickMs);
    expect(FakeEventSource.only).not.toBe(before);
  });

  it('does not wait for its back-off when the network is back, or when its tab is shown', () => {
    open();
    FakeEventSource.only.refuse();
    window.dispatchEvent(new Event('online'));
    FakeEventSource.only.refuse();
    document.dispatchEvent(new Event('visibilitychange'));
    expect(FakeEventSource.open).toHaveLength(1);
  });

  it('trusts a connection that spoke lately when its tab is shown, and no other', () => {
    open();
    FakeEventSource.only.send('stream-open', '7');
    const before = FakeEventSource.only;
    document.dispatchEvent(new Event('visibilitychange'));
    expect(FakeEventSource.only).toBe(before);
    vi.advanceTimersByTime(timing.staleMs + 1);
    document.dispatchEvent(new Event('visibilitychange'));
    expect(FakeEventSource.only).not.toBe(before);
  });

  it('goes on where it was when it is closed and opened again', () => {
    open();
    const first = FakeEventSource.only;
    first.send('message', '3', 'x');
    connection.close();
    first.send('message', '4', 'too late');
    first.refuse();
    vi.advanceTimersByTime(600_000);
    expect(FakeEventSource.open).toEqual([]);
    connection.open();
    expect(FakeEventSource.only.resumedFrom).toBe('3');
    expect(events).toHaveLength(1);
  });

  it('hears a type of event from when it is told to', () => {
    open();
    connection.listen('late');
    FakeEventSource.only.send('late', '1', 'x');
    FakeEventSource.only.refuse();
    vi.advanceTimersByTime(timing.backoffFirstMs);
    FakeEventSource.only.send('late', '2', 'y');
    expect(events.map((event) => event.data)).toEqual(['x', 'y']);
  });
});
