/** A party may hold so many times what is free. */
const freeParts = 2;

/**
 * Shares a bounded number of things that can't be taken away again between parties. A party may hold twice as many as are free. So
 * one that is alone gets two thirds of all, and there is space for a newcomer.
 */
export class FairShare {
  readonly #max: number;
  readonly #held = new Map<string, number>();
  #size = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Returns whether the party may have one more. */
  mayAdd(party: string): boolean {
    const wanted = (this.#held.get(party) ?? 0) + 1;
    return this.#size < this.#max && wanted <= freeParts * (this.#max - this.#size);
  }

  /** Counts one more; it checks no bound. */
  add(party: string): void {
    this.#size += 1;
    this.#held.set(party, (this.#held.get(party) ?? 0) + 1);
  }

  /** Counts one less of a party that has one. */
  remove(party: string): void {
    const held = this.#held.get(party) ?? 0;
    this.#size -= 1;
    if (held > 1) this.#held.set(party, held - 1);
    else this.#held.delete(party);
  }
}
