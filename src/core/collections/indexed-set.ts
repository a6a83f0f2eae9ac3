/**
 * Things without an order, each of which knows its place, in the field that is named by `Slot`. A `Set` or `Map` that many
 * come into and go out of makes a new table of itself again and again, and each old one keeps all alive that was in the next
 * until a full collection: it cost a worker a quarter of its time. This allocates nothing.
 */
export class IndexedSet<Slot extends string, T extends Record<Slot, number>> {
  readonly #items: T[] = [];
  readonly #slot: Slot;

  constructor(slot: Slot) {
    this.#slot = slot;
  }

  get size(): number {
    return this.#items.length;
  }

  has(item: T): boolean {
    return this.#items[item[this.#slot]] === item;
  }

  /** It must not be in here already. */
  add(item: T): void {
    this.#place(item, this.#items.length);
    this.#items.push(item);
  }

  /** False: it is not in here. */
  delete(item: T): boolean {
    if (!this.has(item)) return false;
    const last = this.#items.pop();
    if (last === undefined || last === item) return true;
    const place = item[this.#slot];
    this.#place(last, place);
    this.#items[place] = last;
    return true;
  }

  /** A copy, so that one may take them all out. */
  all(): T[] {
    return [...this.#items];
  }

  #place(item: Record<Slot, number>, place: number): void {
    item[this.#slot] = place;
  }
}

/**
 * A bag whose things are also found by name, from the first search on until it is empty: where nobody searches, as for calls
 * that are seldom cancelled, nobody pays for an index.
 */
export class NamedIndexedSet<Slot extends string, T extends Record<Slot, number>> {
  readonly #set: IndexedSet<Slot, T>;
  readonly #nameOf: (item: T) => string;
  #byName: Map<string, T> | undefined;

  constructor(slot: Slot, nameOf: (item: T) => string) {
    this.#set = new IndexedSet(slot);
    this.#nameOf = nameOf;
  }

  get size(): number {
    return this.#set.size;
  }

  has(item: T): boolean {
    return this.#set.has(item);
  }

  /** It must not be in here already. */
  add(item: T): void {
    this.#set.add(item);
    this.#byName?.set(this.#nameOf(item), item);
  }

  /** False: it is not in here. */
  delete(item: T): boolean {
    if (!this.#set.delete(item)) return false;
    if (this.#byName === undefined) return true;
    const name = this.#nameOf(item);
    if (this.#byName.get(name) === item) this.#byName.delete(name);
    if (this.#set.size === 0) this.#byName = undefined;
    return true;
  }

  /** The one of this name; the latest that came in, or one of those that came before the first search. */
  named(name: string): T | undefined {
    if (this.#set.size === 0) return undefined;
    this.#byName ??= new Map(this.#set.all().map((item) => [this.#nameOf(item), item]));
    return this.#byName.get(name);
  }

  /** A copy, so that one may take them all out. */
  all(): T[] {
    return this.#set.all();
  }
}
