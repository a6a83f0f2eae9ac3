/** Removals after which a small map gets another table. */
const fewest = 32;

/**
 * A `Map` for entries that come and go. A churned `Map` rebuilds its table, and each old table keeps the entries of the next alive until
 * a full collection. That cost a worker with persistent agents a quarter of its time. This one often changes to a new `Map`, to which no
 * old table leads. Where the keys are whole numbers, `NumberMap` costs less.
 */
export class ChurnedMap<K, V> {
  #map = new Map<K, V>();
  #removed = 0;

  get size(): number {
    return this.#map.size;
  }

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  has(key: K): boolean {
    return this.#map.has(key);
  }

  set(key: K, value: V): void {
    this.#map.set(key, value);
  }

  delete(key: K): boolean {
    if (!this.#map.delete(key)) return false;
    this.#removed += 1;
    if (this.#removed >= fewest && this.#removed >= 2 * this.#map.size) {
      this.#map = new Map(this.#map);
      this.#removed = 0;
    }
    return true;
  }

  /** Returns a copy of the values, in the order in which their keys were added. */
  values(): V[] {
    return [...this.#map.values()];
  }
}
