import { hashOfText } from "../../core/internal.ts";
import { seededRandom } from "../seeded-random.ts";

/** Random choices, the same for the same seeds on every machine. Not for secrets. */
export class Dice {
  readonly #seeds: readonly number[];
  readonly #random: ReturnType<typeof seededRandom>;

  constructor(...seeds: readonly number[]) {
    this.#seeds = seeds;
    this.#random = seededRandom(...seeds);
  }

  /** Returns a number from 0 up to 1, as `Math.random` does. */
  next(): number {
    return this.#random.next();
  }

  /** Returns a whole number, both bounds included. */
  between(min: number, max: number): number {
    return this.#random.between(min, max);
  }

  /** Returns true with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** Returns one item of a list. Throws `RangeError` if it is empty. */
  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError("Nothing to pick from: the list is empty.");
    // The index is within the list; a T may itself be undefined.
    return list[this.between(0, list.length - 1)] as T;
  }

  /** Returns an id in the form of a UUID, for a runtime's `makeId`. */
  id(): string {
    const part = () => (this.between(0, 0xffff) + 0x10000).toString(16).slice(1);
    return `${part()}${part()}-${part()}-${part()}-${part()}-${part()}${part()}${part()}`;
  }

  /** Creates independent dice: draws from them do not change these. */
  fork(name: string): Dice {
    return new Dice(...this.#seeds, hashOfText(name));
  }
}
