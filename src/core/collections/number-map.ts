/** Places of the smallest table: 64 calls that come and end in one turn of the event loop change none. */
const fewest = 256;
/** Marks a free place; keys are whole numbers above 0. */
const free = 0;
/** 2^32 divided by the golden ratio: its multiples are far apart (Fibonacci hashing). */
const spread = 0x9e37_79b1;

/**
 * A map from whole numbers above 0 to values, for entries that come and go. It is a hash table with open addressing
 * that changes in place; `IndexedSet` says what a `Map` costs. It grows when half full and shrinks when nearly empty.
 * Consecutive keys are spread, because one long run of them would slow every removal.
 */
export class NumberMap<T> {
  #keys: number[] = new Array<number>(fewest).fill(free);
  #values: (T | undefined)[] = new Array<T | undefined>(fewest).fill(undefined);
  #size = 0;
  /** Shift that leaves one bit per doubling of the table. */
  #shift = shiftFor(fewest);

  get size(): number {
    return this.#size;
  }

  get(key: number): T | undefined {
    return this.#values[this.#placeOf(key)];
  }

  /** Adds an entry; the key must not be in use. */
  add(key: number, value: T): void {
    if (2 * this.#size >= this.#keys.length) this.#resize(2 * this.#keys.length);
    this.#put(key, value);
    this.#size += 1;
  }

  /** Removes an entry. Returns false if the key is not in use. */
  delete(key: number): boolean {
    const keys = this.#keys;
    let hole = this.#placeOf(key);
    if (keys[hole] !== key || key === free) return false;
    const mask = keys.length - 1;
    // Displaced entries behind the hole move up, so that look-ups still find them.
    for (let at = (hole + 1) & mask; keys[at] !== free; at = (at + 1) & mask) {
      const home = this.#homeOf(keys[at] ?? free);
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      keys[hole] = keys[at] ?? free;
      this.#values[hole] = this.#values[at];
      hole = at;
    }
    keys[hole] = free;
    this.#values[hole] = undefined;
    this.#size -= 1;
    if (keys.length > fewest && 16 * this.#size < keys.length) this.#resize(keys.length / 2);
    return true;
  }

  /** Returns a copy of the values, unordered. */
  values(): T[] {
    return this.#values.filter((value) => value !== undefined);
  }

  /** Returns the place of the key, or the place where it would go. */
  #placeOf(key: number): number {
    const keys = this.#keys;
    const mask = keys.length - 1;
    let at = this.#homeOf(key);
    while (keys[at] !== key && keys[at] !== free) at = (at + 1) & mask;
    return at;
  }

  #homeOf(key: number): number {
    return Math.imul(key, spread) >>> this.#shift;
  }

  #put(key: number, value: T | undefined): void {
    const at = this.#placeOf(key);
    this.#keys[at] = key;
    this.#values[at] = value;
  }

  #resize(length: number): void {
    const [keys, values] = [this.#keys, this.#values];
    this.#keys = new Array<number>(length).fill(free);
    this.#values = new Array<T | undefined>(length).fill(undefined);
    this.#shift = shiftFor(length);
    for (const [at, key] of keys.entries()) if (key !== free) this.#put(key, values[at]);
  }
}

/** `places` is a power of two. */
function shiftFor(places: number): number {
  return 32 - Math.log2(places);
}
