import { seededRandom } from "../seeded-random.ts";

/** Draws that are the same for the same seeds, on every machine. Not for secrets. */
export class Dice {
  readonly #seeds: readonly number[];
  readonly #random: ReturnType<typeof seededRandom>;

  constructor(...seeds: readonly number[]) {
    this.#seeds = seeds;
    this.#random = seededRandom(...seeds);
  }

  /** From 0 up to 1, as `Math.random`. */
  next(): number {
    return this.#random.next();
  }

  /** A whole number, both bounds included. */
  between(min: number, max: number): number {
    return this.#random.between(min, max);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of a list; throws `RangeError` when it is empty. */
  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError("Nothing to pick from: the list is empty.");
    // The index is within the list; a T may itself be undefined.
    return list[this.between(0, list.length - 1)] as T;
  }

  /** Looks like a UUID: what a runtime takes as `makeId`. */
  id(): string {
    const part = () => (this.between(0, 0xffff) + 0x10000).toString(16).slice(1);
    return `${part()}${part()}-${part()}-${part()}-${part()}-${part()}${part()}${part()}`;
  }

  /** Dice of their own: what is drawn from them changes nothing here. */
  fork(name: string): Dice {
    return new Dice(...this.#seeds, hash(name));
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value >>> 0;
}
