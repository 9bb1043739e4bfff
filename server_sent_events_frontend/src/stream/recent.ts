/**
 * The last ids that went by, and nothing older: enough to know a repeat, and to know whether a position is one that was
 * reached. Ids are opaque, so "have I seen it" is the only question that can be asked of them.
 */
const recentMax = 2_000;

export class RecentIds {
  #ids = new Set<string>();

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** A Set remembers the order of insertion: its first element is the oldest. */
  add(id: string): void {
    this.#ids.delete(id);
    this.#ids.add(id);
    if (this.#ids.size > recentMax) this.#ids.delete(this.#ids.values().next().value!);
  }
}
