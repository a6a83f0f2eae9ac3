const fewest = 64;
/** No key: keys are whole numbers above 0. */
const free = 0;
/** 2^32 divided by the golden ratio: multiples of it lie far from each other (Fibonacci hashing). */
const spread = 0x9e37_79b1;

/**
 * Things by number, for many that come and go: a hash table with open addressing that changes in place (see `IndexedSet` for what a
 * `Map` costs there). It grows when half full, and shrinks when next to empty. Keys that are counted up are spread, for side by side
 * they would make one long run that every removal walks to its end.
 */
export class NumberMap<T> {
  #keys: number[] = new Array<number>(fewest).fill(free);
  #values: (T | undefined)[] = new Array<T | undefined>(fewest).fill(undefined);
  #size = 0;
  /** Leaves as many bits of a spread key as there are places. */
  #shift = shiftFor(fewest);

  get size(): number {
    return this.#size;
  }

  get(key: number): T | undefined {
    return this.#values[this.#placeOf(key)];
  }

  /** The key must not be in use. */
  add(key: number, value: T): void {
    if (2 * this.#size >= this.#keys.length) this.#resize(2 * this.#keys.length);
    this.#put(key, value);
    this.#size += 1;
  }

  /** False: there is nothing under this key. */
  delete(key: number): boolean {
    const keys = this.#keys;
    let hole = this.#placeOf(key);
    if (keys[hole] !== key || key === free) return false;
    const mask = keys.length - 1;
    // Those behind it that were put off by it move up, so that no search ends before them.
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

  /** A copy, in no order. */
  values(): T[] {
    return this.#values.filter((value) => value !== undefined);
  }

  /** Where the key stands, or where it would. */
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

/** `places`: a power of two. */
function shiftFor(places: number): number {
  return 32 - Math.log2(places);
}
