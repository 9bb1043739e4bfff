/** The three pieces of a browser that the stream module stands on, driven by hand. */
import { vi } from 'vitest';

/** An EventSource whose server is the test. */
export class FakeEventSource extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSED = 2;
  /** Every one that was made and not closed by the page, oldest first. */
  static open: FakeEventSource[] = [];

  static get only(): FakeEventSource {
    if (this.open.length !== 1) throw new Error(`${this.open.length} streams are open, not one`);
    return this.open[0]!;
  }

  readyState = FakeEventSource.CONNECTING;
  lastEventId = '';
  onerror: (() => void) | null = null;

  constructor(readonly url: string) {
    super();
    FakeEventSource.open.push(this);
  }

  /** The position that the page asked to go on from. */
  get resumedFrom(): string | null {
    return new URL(this.url, 'http://host').searchParams.get('last_event_id');
  }

  close(): void {
    this.readyState = FakeEventSource.CLOSED;
    FakeEventSource.open = FakeEventSource.open.filter((other) => other !== this);
  }

  send(type: string, id = '', data = ''): void {
    this.readyState = FakeEventSource.OPEN;
    if (id !== '') this.lastEventId = id;
    this.dispatchEvent(new MessageEvent(type, { data, lastEventId: this.lastEventId }));
  }

  /** The connection broke: the browser tries again by itself. */
  drop(): void {
    this.readyState = FakeEventSource.CONNECTING;
    this.onerror?.();
  }

  /** The server answered something but 200: the browser gives up. */
  refuse(): void {
    this.readyState = FakeEventSource.CLOSED;
    this.onerror?.();
  }
}

/** Delivers in order and later: to a frozen tab when it thaws, to a deaf one never. */
export class FakeBroadcastChannel {
  static all = new Set<FakeBroadcastChannel>();
  onmessage: ((event: { data: unknown }) => void) | null = null;
  deaf = false;
  #frozen: unknown[] | null = null;

  constructor(readonly name: string) {
    FakeBroadcastChannel.all.add(this);
  }

  postMessage(message: unknown): void {
    for (const other of FakeBroadcastChannel.all) {
      if (other === this || other.name !== this.name || other.deaf) continue;
      const data = structuredClone(message);
      queueMicrotask(() => other.#deliver(data));
    }
  }

  freeze(): void {
    this.#frozen = [];
  }

  thaw(): void {
    const waiting = this.#frozen ?? [];
    this.#frozen = null;
    for (const data of waiting) this.#deliver(data);
  }

  close(): void {
    FakeBroadcastChannel.all.delete(this);
  }

  #deliver(data: unknown): void {
    if (this.#frozen) this.#frozen.push(data);
    else if (FakeBroadcastChannel.all.has(this)) this.onmessage?.({ data });
  }
}

interface Claim {
  run(): void;
  fail(error: Error): void;
}

/** Exclusive locks with a queue, `signal` and `steal`: as much of Web Locks as an office needs. */
export class FakeLocks {
  #holder: Claim | null = null;
  #queue: Claim[] = [];

  request(_name: string, options: LockOptions, callback: () => Promise<void> | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const claim: Claim = {
        run: () => {
          this.#holder = claim;
          void Promise.resolve(callback()).then(() => {
            if (this.#holder === claim) this.#next();
            resolve();
          });
        },
        fail: reject,
      };
      const aborted = () => {
        this.#queue = this.#queue.filter((other) => other !== claim);
        if (this.#holder !== claim) reject(new DOMException('left', 'AbortError'));
      };
      options.signal?.addEventListener('abort', aborted);
      queueMicrotask(() => {
        if (options.signal?.aborted) return;
        if (options.steal) {
          const robbed = this.#holder;
          claim.run();
          robbed?.fail(new DOMException('stolen', 'AbortError'));
        } else {
          this.#queue.push(claim);
          if (this.#holder === null) this.#next();
        }
      });
    });
  }

  #next(): void {
    this.#holder = null;
    this.#queue.shift()?.run();
  }
}

export function installBrowser(): void {
  FakeEventSource.open = [];
  FakeBroadcastChannel.all.clear();
  vi.useFakeTimers();
  vi.stubGlobal('EventSource', FakeEventSource);
  vi.stubGlobal('BroadcastChannel', FakeBroadcastChannel);
  Object.defineProperty(navigator, 'locks', { value: new FakeLocks(), configurable: true });
}

export function removeBrowser(): void {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  Reflect.deleteProperty(navigator, 'locks');
}

/** Lets everything happen that needs no time. */
export async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}
