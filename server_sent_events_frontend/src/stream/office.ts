/**
 * Who of the tabs holds the connection: an office that one tab has at a time, given by the Web Locks of the browser.
 *
 * The browser passes the lock on when its holder closes, crashes or is thrown out of memory. What it does not see is a
 * holder that is frozen; the others can then take the lock away, and the old holder learns of it when it wakes.
 */
export interface OfficeOptions {
  name: string;
  onGain(): void;
  /** Another tab took the office away. This tab queues for it again by itself. */
  onLoss(): void;
}

export class Office {
  #options: OfficeOptions;
  #held = false;
  #waiting: AbortController | null = null;
  #release: (() => void) | null = null;

  constructor(options: OfficeOptions) {
    this.#options = options;
  }

  get held(): boolean {
    return this.#held;
  }

  /** Queues for the office. */
  enter(): void {
    const waiting = new AbortController();
    this.#waiting = waiting;
    void this.#hold({ signal: waiting.signal }, waiting.signal);
  }

  /** Takes the office from a holder that does not answer. */
  seize(): void {
    this.leave();
    const waiting = new AbortController();
    this.#waiting = waiting;
    void this.#hold({ steal: true }, waiting.signal);
  }

  /** Gives the office up, and leaves the queue for it. */
  leave(): void {
    this.#waiting?.abort();
    this.#waiting = null;
    this.#held = false;
    this.#release?.();
    this.#release = null;
  }

  async #hold(options: LockOptions, left: AbortSignal): Promise<void> {
    try {
      await navigator.locks.request(this.#options.name, options, () => {
        if (left.aborted) return undefined;
        this.#held = true;
        const until = new Promise<void>((release) => (this.#release = release));
        this.#options.onGain();
        return until;
      });
    } catch {
      // An AbortError: we left the queue, or the lock was taken from us.
      if (left.aborted) return;
      this.leave();
      this.#options.onLoss();
      this.enter();
    }
  }
}
