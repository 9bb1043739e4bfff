/**
 * A state that is loaded once and kept true by events: holds back what arrives while the load runs, then hands it on.
 *
 * The order that makes this safe: hear first, load second. Then every event is in the snapshot, or held, or both, and
 * never in neither. So an event may come that the snapshot already contains; whoever applies it compares versions.
 */
import { backoffMs } from './timing';
import type { StreamEvent } from './connection';

/** Thrown by `load`, it says that another attempt would meet the same answer (not allowed, no such user). */
export class FinalError extends Error {
  override name = 'FinalError';
}

/** A load that takes longer than so many events is begun again: what it holds must not grow without end. */
const heldMax = 1_000;

export interface SnapshotOptions {
  /** Fetches the state, puts it in place, and answers with the position from which events continue it. */
  load(signal: AbortSignal): Promise<string>;
  onLoaded(position: string): void;
  onEvent(event: StreamEvent): void;
  /** An attempt failed; another follows unless the error is a FinalError. */
  onError(error: unknown): void;
}

export class Snapshot {
  #options: SnapshotOptions;
  #running: AbortController | null = null;
  #held: StreamEvent[] = [];
  #loaded = false;

  constructor(options: SnapshotOptions) {
    this.#options = options;
  }

  get loading(): boolean {
    return this.#running !== null;
  }

  /** True when the state is there, or on its way. */
  get begun(): boolean {
    return this.#loaded || this.loading;
  }

  /** Loads, or begins again: a load that began before a gap may have missed what the gap lost. */
  reload(): void {
    this.stop();
    this.#loaded = false;
    const running = new AbortController();
    this.#running = running;
    void this.#run(running.signal);
  }

  /** Hands the event on, now or after the load that runs. */
  accept(event: StreamEvent): void {
    if (this.#running === null) {
      this.#options.onEvent(event);
    } else if (this.#held.push(event) > heldMax) {
      this.reload();
    }
  }

  stop(): void {
    this.#running?.abort();
    this.#running = null;
    this.#held = [];
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const position = await this.#options.load(signal);
        if (!signal.aborted) this.#finish(position);
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#options.onError(error);
        if (error instanceof FinalError) return;
      }
      await pause(backoffMs(attempt), signal);
      if (signal.aborted) return;
    }
  }

  #finish(position: string): void {
    // What was held up to the snapshot's own position is in it; where that position was not among it, versions decide.
    const held = this.#held.slice(this.#held.findIndex((event) => event.id === position) + 1);
    this.#held = [];
    this.#running = null;
    this.#loaded = true;
    this.#options.onLoaded(position);
    for (const event of held) this.accept(event);
  }
}

/** Ends early when the network comes back, or when nobody waits any more. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener('online', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    window.addEventListener('online', done);
    signal.addEventListener('abort', done);
  });
}
