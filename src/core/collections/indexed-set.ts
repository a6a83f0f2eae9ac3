/**
 * An unordered set whose items know their index, in the field named by `Slot`. It allocates nothing when items come and
 * go. A churned `Set` or `Map` rebuilds its table, and each old table keeps the items of the next alive until a full
 * collection. That cost a worker a quarter of its time.
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

  /** Adds an item, which must not be in the set. */
  add(item: T): void {
    this.#place(item, this.#items.length);
    this.#items.push(item);
  }

  /** Removes an item. Returns false if it is not in the set. */
  delete(item: T): boolean {
    if (!this.has(item)) return false;
    const last = this.#items.pop();
    if (last === undefined || last === item) return true;
    const place = item[this.#slot];
    this.#place(last, place);
    this.#items[place] = last;
    return true;
  }

  /** Returns a copy, so that a caller may remove items while it iterates. */
  all(): T[] {
    return [...this.#items];
  }

  #place(item: Record<Slot, number>, place: number): void {
    item[this.#slot] = place;
  }
}

/**
 * An indexed set with a look-up by name. The index exists from the first look-up until the set is empty, so a set
 * without look-ups pays nothing for it.
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

  /** Adds an item, which must not be in the set. */
  add(item: T): void {
    this.#set.add(item);
    this.#byName?.set(this.#nameOf(item), item);
  }

  /** Removes an item. Returns false if it is not in the set. */
  delete(item: T): boolean {
    if (!this.#set.delete(item)) return false;
    if (this.#byName === undefined) return true;
    const name = this.#nameOf(item);
    if (this.#byName.get(name) === item) this.#byName.delete(name);
    if (this.#set.size === 0) this.#byName = undefined;
    return true;
  }

  /**
   * Returns the item of this name. If several have it: the latest added, or any of those added before the first
   * look-up.
   */
  named(name: string): T | undefined {
    if (this.#set.size === 0) return undefined;
    this.#byName ??= new Map(this.#set.all().map((item) => [this.#nameOf(item), item]));
    return this.#byName.get(name);
  }

  /** Returns a copy, so that a caller may remove items while it iterates. */
  all(): T[] {
    return this.#set.all();
  }
}
