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

  /** The sum of all that the parties hold. */
  get size(): number {
    return this.#size;
  }

  /** Returns whether the party may have one more, or so much more. */
  mayAdd(party: string, amount = 1): boolean {
    const wanted = (this.#held.get(party) ?? 0) + amount;
    return this.#size + amount <= this.#max && wanted <= freeParts * (this.#max - this.#size);
  }

  /** Counts one more, or so much more; it checks no bound. */
  add(party: string, amount = 1): void {
    this.#size += amount;
    this.#held.set(party, (this.#held.get(party) ?? 0) + amount);
  }

  /** Counts one less, or so much less, of a party that has it. */
  remove(party: string, amount = 1): void {
    const held = this.#held.get(party) ?? 0;
    this.#size -= amount;
    if (held > amount) this.#held.set(party, held - amount);
    else this.#held.delete(party);
  }
}
