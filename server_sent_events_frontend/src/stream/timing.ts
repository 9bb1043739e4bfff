/** Every wait of this module, with the reason for its length. All in milliseconds. */
export const timing = {
  /** A stream we asked for ourselves has to answer within this; a black hole in the network would else hold us for minutes. */
  openMs: 20_000,
  /** The browser reconnects by itself after the server's `retry:`, which we cannot see. Past this we stop believing in it. */
  browserRetryMs: 60_000,
  /**
   * Keep-alive comments never reach JavaScript, so a connection that died unseen looks like a quiet one. After this much
   * silence, and up to half as much again, it is replaced; resuming loses nothing and costs one request.
   */
  silenceMs: 4 * 60_000,
  /** On waking (tab shown, network back) a connection that was silent for this long is no longer trusted. */
  staleMs: 45_000,
  /** How often silence and sleep are looked for. */
  tickMs: 15_000,
  /** A tick that comes this late means that the machine slept. Hidden tabs tick once a minute, so it must be well above that. */
  sleptMs: 150_000,
  /** Bounds of our own back-off, for when the browser gave up. */
  backoffFirstMs: 1_000,
  backoffLastMs: 30_000,
  /** A follower that heard nothing from its leader for this long asks whether there is one. */
  leaderQuietMs: 10_000,
  /** A leader that does not answer within this is frozen, and loses its office. */
  leaderAnswerMs: 5_000,
};

/** Doubling, with jitter over the upper half, so that the clients of a restarted server do not return in step. */
export function backoffMs(attempt: number): number {
  const ceiling = Math.min(timing.backoffLastMs, timing.backoffFirstMs * 2 ** attempt);
  return ceiling * (0.5 + Math.random() / 2);
}
