import { IndexedSet } from "./indexed-set.ts";

/**
 * A bag whose things are also found by name, from the first search on until it is empty: where nobody searches, as for calls
 * that are seldom cancelled, nobody pays for an index.
 */
export class NamedIndexedSet<Slot extends string, T extends Record<Slot, number>> {
  readonly #bag: IndexedSet<Slot, T>;
  readonly #nameOf: (item: T) => string;
  #byName: Map<string, T> | undefined;

  constructor(slot: Slot, nameOf: (item: T) => string) {
    this.#bag = new IndexedSet(slot);
    this.#nameOf = nameOf;
  }

  get size(): number {
    return this.#bag.size;
  }

  has(item: T): boolean {
    return this.#bag.has(item);
  }

  /** It must not be in here already. */
  add(item: T): void {
    this.#bag.add(item);
    this.#byName?.set(this.#nameOf(item), item);
  }

  /** False: it is not in here. */
  delete(item: T): boolean {
    if (!this.#bag.delete(item)) return false;
    if (this.#byName === undefined) return true;
    const name = this.#nameOf(item);
    if (this.#byName.get(name) === item) this.#byName.delete(name);
    if (this.#bag.size === 0) this.#byName = undefined;
    return true;
  }

  /** The one of this name; the latest that came in, or one of those that came before the first search. */
  named(name: string): T | undefined {
    if (this.#bag.size === 0) return undefined;
    this.#byName ??= new Map(this.#bag.all().map((item) => [this.#nameOf(item), item]));
    return this.#byName.get(name);
  }

  /** A copy, so that one may take them all out. */
  all(): T[] {
    return this.#bag.all();
  }
}
