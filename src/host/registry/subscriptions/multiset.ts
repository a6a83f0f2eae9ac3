/** A set that counts how often each item was added, so that taking one back costs the same however many there are. */
export class Multiset<T> {
  readonly #counts = new Map<T, number>();

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  /** Returns whether it is the first of its kind. */
  add(item: T): boolean {
    const count = this.#counts.get(item) ?? 0;
    this.#counts.set(item, count + 1);
    return count === 0;
  }

  /** Takes back one `add`, and returns whether it was the last of its kind; an unknown item is fine. */
  remove(item: T): boolean {
    const count = this.#counts.get(item) ?? 0;
    if (count <= 1) return this.#counts.delete(item);
    this.#counts.set(item, count - 1);
    return false;
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
