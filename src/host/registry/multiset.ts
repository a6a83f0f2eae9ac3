/** A set that counts how often each item was added, so that taking one back costs the same however many there are. */
export class Multiset<T> {
  readonly #counts = new Map<T, number>();

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  add(item: T): void {
    this.#counts.set(item, (this.#counts.get(item) ?? 0) + 1);
  }

  /** Takes back one `add`; an unknown item is fine. */
  remove(item: T): void {
    const count = this.#counts.get(item) ?? 0;
    if (count > 1) this.#counts.set(item, count - 1);
    else this.#counts.delete(item);
  }

  /** Calls `visit` once for each different item. */
  visit(visit: (item: T) => void): void {
    for (const item of this.#counts.keys()) visit(item);
  }

  /** Whether the test holds for one of the items; it sees none after that. */
  some(test: (item: T) => boolean): boolean {
    for (const item of this.#counts.keys()) if (test(item)) return true;
    return false;
  }
}
