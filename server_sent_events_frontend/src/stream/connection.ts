/**
 * One EventSource that does not stay dead.
 *
 * A browser's EventSource reconnects after a cut, but gives up for good on any status but 200, on some refused
 * connections, and never notices a peer that vanished while the machine slept. A Connection keeps the last id, lets the
 * browser do what it does well (it obeys the server's `retry:`), and takes over where it stops: back-off with jitter,
 * a look at the connection on waking, and a limit on silence. Reopening resumes from the last id, so it loses nothing.
 */
import { backoffMs, timing } from './timing';

export interface StreamEvent {
  /** `message` where the server named no type. */
  type: string;
  data: string;
  /** The position after this event; empty where the server sends no ids (V1). */
  id: string;
}

/** `retrying` from the moment a stream is lost until the next one speaks, whoever is doing the retrying. */
export type Phase = 'connecting' | 'live' | 'retrying' | 'closed';

export interface ConnectionOptions {
  url: string;
  /** Named event types to listen to. `message` and the server's own `stream-*` types are always heard. */
  types?: readonly string[];
  /** Where to begin: an id, or `earliest`. Without it the stream begins with what comes next. */
  lastEventId?: string;
  withCredentials?: boolean;
  onEvent(event: StreamEvent): void;
  onPhase?(phase: Phase): void;
  /**
   * The browser gave up: the server answered something but 200, which EventSource keeps to itself. Ask for the reason in
   * another way; unless close() is called, another attempt follows.
   */
  onRefused?(): void;
}

const protocolTypes = ['stream-open', 'stream-position', 'stream-gap', 'stream-close'];

export class Connection {
  #options: ConnectionOptions;
  #types: Set<string>;
  #lastEventId: string;
  #phase: Phase = 'closed';
  #source: EventSource | null = null;
  #attempt = 0;
  /** Each its own, else an event that went to everybody would bring everybody back at once. */
  #silenceMs = timing.silenceMs * (1 + Math.random() / 2);
  #heardAt = 0;
  #tickedAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ticker: ReturnType<typeof setInterval> | undefined;

  /** Opens nothing yet: see open(). */
  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#types = new Set(['message', ...protocolTypes, ...(options.types ?? [])]);
    this.#lastEventId = options.lastEventId ?? '';
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** The id that the next stream resumes from; empty before the first. */
  get lastEventId(): string {
    return this.#lastEventId;
  }

  /** Opens the stream, or opens it again, from lastEventId. No effect on a connection that is open. */
  open(): void {
    if (this.#phase !== 'closed') return;
    this.#setPhase('connecting');
    this.#attempt = 0;
    this.#tickedAt = Date.now();
    this.#ticker = setInterval(this.#tick, timing.tickMs);
    window.addEventListener('online', this.#online);
    document.addEventListener('visibilitychange', this.#shown);
    this.#connect();
  }

  /** Ends the stream and keeps the position, so that open() goes on without a hole. */
  close(): void {
    this.#disconnect();
    clearInterval(this.#ticker);
    window.removeEventListener('online', this.#online);
    document.removeEventListener('visibilitychange', this.#shown);
    this.#setPhase('closed');
  }

  /** Hears one more type of event, from now on. */
  listen(type: string): void {
    if (this.#types.has(type)) return;
    this.#types.add(type);
    if (this.#source) this.#listenOn(this.#source, type);
  }

  /** Something suggests that the connection may be dead: replaces it unless it spoke lately. Cheap, call it freely. */
  check(): void {
    if (this.#phase === 'closed') return;
    const waiting = this.#phase === 'retrying';
    if (waiting || Date.now() - this.#heardAt > timing.staleMs) this.#reconnect();
  }

  #connect(): void {
    this.#heardAt = Date.now();
    const source = new EventSource(this.#address(), { withCredentials: this.#options.withCredentials ?? false });
    this.#source = source;
    for (const type of this.#types) this.#listenOn(source, type);
    source.onerror = () => {
      if (source !== this.#source) return;
      this.#setPhase('retrying');
      if (source.readyState === EventSource.CLOSED) {
        this.#retryLater();
        this.#options.onRefused?.();
      } else {
        this.#arm(timing.browserRetryMs, this.#retryLater);
      }
    };
    this.#arm(timing.openMs, this.#retryLater);
  }

  /** Quiet: a connection that is replaced on suspicion stays `live` unless its successor fails. */
  #reconnect = (): void => {
    this.#attempt = 0;
    this.#disconnect();
    this.#connect();
  };

  #retryLater = (): void => {
    this.#disconnect();
    this.#setPhase('retrying');
    this.#arm(backoffMs(this.#attempt), () => this.#connect());
    this.#attempt += 1;
  };

  #disconnect(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #listenOn(source: EventSource, type: string): void {
    source.addEventListener(type, (event: MessageEvent<string>) => {
      if (source === this.#source) this.#heard({ type, data: event.data, id: event.lastEventId });
    });
  }

  #heard(event: StreamEvent): void {
    this.#heardAt = Date.now();
    if (event.id !== '') this.#lastEventId = event.id;
    if (event.type === 'stream-close') {
      // A refused or drained stream: its last block carried a `retry:` that the browser now obeys.
      this.#setPhase('retrying');
      this.#arm(timing.browserRetryMs, this.#retryLater);
    } else {
      this.#attempt = 0;
      clearTimeout(this.#timer);
      this.#setPhase('live');
    }
    this.#options.onEvent(event);
  }

  /** The header Last-Event-ID, which the browser sends when it reconnects by itself, wins over the parameter. */
  #address(): string {
    const { url } = this.#options;
    if (this.#lastEventId === '') return url;
    return `${url}${url.includes('?') ? '&' : '?'}last_event_id=${encodeURIComponent(this.#lastEventId)}`;
  }

  #arm(ms: number, then: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, ms);
  }

  #tick = (): void => {
    const now = Date.now();
    const slept = now - this.#tickedAt > timing.sleptMs;
    this.#tickedAt = now;
    if (slept) this.check();
    else if (this.#phase === 'live' && now - this.#heardAt > this.#silenceMs) this.#reconnect();
  };

  /** The network changed: a socket of the old one may hang for minutes before it says so. */
  #online = (): void => this.#reconnect();

  #shown = (): void => {
    if (document.visibilityState === 'visible') this.check();
  };

  #setPhase(phase: Phase): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.#options.onPhase?.(phase);
  }
}
