/**
 * One stream for all tabs of a user.
 *
 * Over HTTP/1.1 a browser has six connections to a server for all its tabs, and every open stream takes one for good: the
 * seventh tab would hang. So one tab, the leader, holds the stream and passes every event to the others on a
 * BroadcastChannel. What each tab is promised:
 *
 * - its state is loaded by `load`, then every later event is delivered, in order, with no hole;
 * - an event that `load` already covered may come again (compare versions), any other repeat is dropped;
 * - whenever a hole cannot be ruled out (the server said `stream-gap`, a leader began somewhere this tab has not been),
 *   `load` runs again.
 *
 * Why there is no hole. A follower hears the leader before it loads. A leader that takes over resumes from the last
 * position it heard, and announces it; a follower to which that position is new cannot know what lies between, and loads
 * again. Terms grow with each leader, so what a leader says that was frozen and replaced is ignored.
 *
 * Without Web Locks (pages that are neither HTTPS nor localhost) or BroadcastChannel each tab has a stream of its own.
 */
import { Connection, type Phase, type StreamEvent } from './connection';
import { Office } from './office';
import { RecentIds } from './recent';
import { FinalError, Snapshot } from './snapshot';
import { timing } from './timing';

export type Role = 'leader' | 'follower' | 'alone';

export interface StreamStatus {
  /** That of the one connection, whichever tab holds it; `closed` also after a FinalError. */
  phase: Phase;
  role: Role;
  /** Why the state could not be loaded at the last attempt; null once it is. */
  error: unknown;
}

export interface StreamOptions {
  /** Tabs with the same URL share the stream. */
  url: string;
  types?: readonly string[];
  withCredentials?: boolean;
  load(signal: AbortSignal): Promise<string>;
  onEvent(event: StreamEvent): void;
  onStatus?(status: StreamStatus): void;
}

type Message =
  /** A follower asks who leads; one that woke also wants the leader to look at its connection. */
  | { kind: 'hello'; woke: boolean }
  /** The leader says where its stream is; null while it has none yet. */
  | { kind: 'lead'; term: number; at: string | null; phase: Phase }
  | { kind: 'event'; term: number; event: StreamEvent };

export class SharedStream {
  #options: StreamOptions;
  #snapshot: Snapshot;
  #recent = new RecentIds();
  #position: string | null = null;
  #role: Role = 'alone';
  #phase: Phase = 'closed';
  #error: unknown = null;
  #connection: Connection | null = null;
  #channel: BroadcastChannel | null = null;
  #office: Office | null = null;
  #closed = false;
  #term = 0;
  #leaderHeardAt = 0;
  #answerBy: ReturnType<typeof setTimeout> | undefined;
  #ticker: ReturnType<typeof setInterval> | undefined;

  /** Begins at once; ends with close(). Callbacks come from the tab's event loop, never from inside the constructor. */
  constructor(options: StreamOptions) {
    this.#options = options;
    this.#snapshot = new Snapshot({
      load: (signal) => options.load(signal),
      onLoaded: (position) => this.#loaded(position),
      onEvent: (event) => options.onEvent(event),
      onError: (error) => this.#failed(error),
    });
    window.addEventListener('pagehide', this.#suspend);
    window.addEventListener('pageshow', this.#restored);
    queueMicrotask(this.#resume);
  }

  close(): void {
    window.removeEventListener('pagehide', this.#suspend);
    window.removeEventListener('pageshow', this.#restored);
    this.#suspend();
    this.#closed = true;
  }

  #resume = (): void => {
    if (this.#closed || this.#phase !== 'closed') return;
    this.#phase = 'connecting';
    if (!('locks' in navigator) || !('BroadcastChannel' in window)) {
      this.#lead('alone');
      return;
    }
    const name = `stream ${new URL(this.#options.url, document.baseURI).href}`;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = (event: MessageEvent<Message>) => this.#receive(event.data);
    this.#office = new Office({
      name,
      onGain: () => this.#lead('leader'),
      onLoss: () => this.#follow(),
    });
    this.#office.enter();
    this.#follow();
    this.#ticker = setInterval(this.#tick, timing.tickMs);
    document.addEventListener('visibilitychange', this.#shown);
  };

  /** A page that is put aside must not keep the stream from the others; what it knows, it keeps. */
  #suspend = (): void => {
    clearInterval(this.#ticker);
    clearTimeout(this.#answerBy);
    document.removeEventListener('visibilitychange', this.#shown);
    this.#disconnect();
    this.#snapshot.stop();
    this.#office?.leave();
    this.#office = null;
    this.#channel?.close();
    this.#channel = null;
    this.#phase = 'closed';
  };

  #restored = (event: PageTransitionEvent): void => {
    if (event.persisted) this.#resume();
  };

  // The leader, or a tab on its own.

  #lead(role: 'leader' | 'alone'): void {
    clearTimeout(this.#answerBy);
    this.#role = role;
    // The clock makes terms grow from one set of tabs to the next, the sum within one, should the clock be set back.
    this.#term = Math.max(Date.now(), this.#term + 1);
    this.#phase = 'connecting';
    this.#tell();
    if (this.#position !== null) this.#connect(this.#position);
    if (!this.#snapshot.begun) this.#snapshot.reload();
    this.#announce();
  }

  #connect(position: string): void {
    this.#connection = new Connection({
      url: this.#options.url,
      types: this.#options.types ?? [],
      withCredentials: this.#options.withCredentials ?? false,
      lastEventId: position,
      onEvent: (event) => {
        this.#post({ kind: 'event', term: this.#term, event });
        this.#accept(event);
      },
      onPhase: (phase) => {
        if (phase === 'closed') return;
        this.#setPhase(phase);
        this.#announce();
      },
      // The load learns the reason, and ends this stream where it is final.
      onRefused: () => {
        if (!this.#snapshot.loading) this.#snapshot.reload();
      },
    });
    this.#connection.open();
  }

  #disconnect(): void {
    this.#connection?.close();
    this.#connection = null;
  }

  #announce(): void {
    if (this.#role !== 'leader') return;
    const at = this.#connection === null ? null : this.#position;
    this.#post({ kind: 'lead', term: this.#term, at, phase: this.#phase });
  }

  // A follower.

  #follow(): void {
    this.#disconnect();
    this.#role = 'follower';
    this.#phase = 'connecting';
    this.#tell();
    this.#hello(false);
  }

  /** Asks for the leader, and sets it a time to answer. */
  #hello(woke: boolean): void {
    if (this.#role !== 'follower') return;
    this.#post({ kind: 'hello', woke });
    clearTimeout(this.#answerBy);
    const askedAt = Date.now();
    this.#answerBy = setTimeout(() => {
      if (this.#role === 'follower' && this.#leaderHeardAt < askedAt) this.#office?.seize();
    }, timing.leaderAnswerMs);
  }

  #tick = (): void => {
    if (Date.now() - this.#leaderHeardAt > timing.leaderQuietMs) this.#hello(false);
  };

  #shown = (): void => {
    if (document.visibilityState === 'visible') this.#hello(true);
  };

  #receive(message: Message): void {
    if (message.kind === 'hello') {
      if (this.#role !== 'leader') return;
      this.#announce();
      if (message.woke) this.#connection?.check();
      return;
    }
    if (this.#role !== 'follower' || message.term < this.#term) return;
    this.#leaderHeardAt = Date.now();
    if (message.kind === 'lead') {
      this.#term = message.term;
      this.#setPhase(message.phase);
      this.#vouchFor(message.at);
    } else if (message.term === this.#term) {
      this.#accept(message.event);
    }
    // An event of a term that was not announced to us: the answer to our hello comes behind it.
  }

  /** Loads, unless the state is there already and the leader's stream is at a place that this tab has been to. */
  #vouchFor(at: string | null): void {
    const known = at === null || this.#recent.has(at);
    if (at !== null) this.#recent.add(at);
    if (!known || !this.#snapshot.begun) this.#snapshot.reload();
  }

  // All.

  #accept(event: StreamEvent): void {
    const repeated = event.id !== '' && this.#recent.has(event.id);
    if (event.id !== '') {
      this.#recent.add(event.id);
      this.#position = event.id;
    }
    if (event.type === 'stream-gap') this.#snapshot.reload();
    else if (!event.type.startsWith('stream-') && !repeated) this.#snapshot.accept(event);
  }

  #loaded(position: string): void {
    this.#error = null;
    this.#recent.add(position);
    this.#position = position;
    if (this.#role !== 'follower' && this.#connection === null) {
      this.#connect(position);
      this.#announce();
    }
    this.#tell();
  }

  #failed(error: unknown): void {
    this.#error = error;
    if (error instanceof FinalError) this.#suspend();
    this.#tell();
  }

  #post(message: Message): void {
    this.#channel?.postMessage(message);
  }

  #setPhase(phase: Phase): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.#tell();
  }

  #tell(): void {
    this.#options.onStatus?.({ phase: this.#phase, role: this.#role, error: this.#error });
  }
}
