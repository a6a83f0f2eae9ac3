/**
 * Values under names, in the order in which they came. Adding and removing one costs the same however many share its name. A name
 * with one value needs no collection.
 */
export class Multimap<V extends object> {
  readonly #entries = new Map<string, V | Set<V>>();

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  add(name: string, value: V): void {
    const known = this.#entries.get(name);
    if (known === undefined) this.#entries.set(name, value);
    else if (known instanceof Set) known.add(value);
    else this.#entries.set(name, new Set([known, value]));
  }

  /** An unknown pair is fine. */
  remove(name: string, value: V): void {
    const known = this.#entries.get(name);
    if (known instanceof Set) {
      known.delete(value);
      if (known.size > 0) return;
    } else if (known !== value) return;
    this.#entries.delete(name);
  }

  /** The values of a name; others may come and go meanwhile. */
  of(name: string): Iterable<V> {
    const known = this.#entries.get(name);
    if (known === undefined) return [];
    return known instanceof Set ? known : [known];
  }
}
