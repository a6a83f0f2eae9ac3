/** A party may hold so many times what is free. */
const freeParts = 2;

interface Holding {
  readonly party: string;
  amount: number;
}

/**
 * Shares a bounded number of things that can't be taken away again between parties. A party may hold twice as many as are free. So
 * one that is alone gets two thirds of all, and there is space for a newcomer.
 */
export class FairShare {
  readonly #max: number;
  readonly #held = new Map<string, Holding>();
  /** Of the party that was last here: most come many times one after the other, and give back what they had taken. It may be empty. */
  #last: Holding | undefined;
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
    const wanted = this.#heldBy(party) + amount;
    return this.#size + amount <= this.#max && wanted <= freeParts * (this.#max - this.#size);
  }

  /** Counts one more, or so much more; it checks no bound. */
  add(party: string, amount = 1): void {
    this.#size += amount;
    this.#of(party).amount += amount;
  }

  /** Counts one less, or so much less, of a party that has it. */
  remove(party: string, amount = 1): void {
    this.#size -= amount;
    this.#of(party).amount -= amount;
  }

  #heldBy(party: string): number {
    return (this.#last?.party === party ? this.#last : this.#held.get(party))?.amount ?? 0;
  }

  /** Returns what a party holds; it is the last one from now on. */
  #of(party: string): Holding {
    const last = this.#last;
    if (last?.party === party) return last;
    if (last?.amount === 0) this.#held.delete(last.party);
    let holding = this.#held.get(party);
    if (holding === undefined) {
      holding = { party, amount: 0 };
      this.#held.set(party, holding);
    }
    this.#last = holding;
    return holding;
  }
}
