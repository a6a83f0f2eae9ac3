import type { TypeRecord } from "../records/records.ts";

/** An address may have so many times the names that are free. */
const freeParts = 2;

/**
 * Shares the names of agent types between the addresses of the workers that were the first to register them. A name stays until no worker has
 * served it for a day. So one address gets two thirds of them, and there are some for a newcomer.
 */
export class NameShares {
  readonly #most: number;
  readonly #countOf = new Map<string, number>();
  #size = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Notes that a record has taken the place of another one. Undefined stands for no record. */
  note(now: TypeRecord | undefined, before: TypeRecord | undefined): void {
    this.#count(before, -1);
    this.#count(now, 1);
  }

  /** Returns the reason for which the workers of an address can't add a name. Undefined: they can. */
  whyNot(address: string): "full" | "share" | undefined {
    const free = this.#most - this.#size;
    if (free <= 0) return "full";
    return (this.#countOf.get(address) ?? 0) + 1 > freeParts * free ? "share" : undefined;
  }

  #count(record: TypeRecord | undefined, change: number): void {
    if (record === undefined || record.isRetired === true) return;
    this.#size += change;
    const address = record.addedBy ?? "";
    const count = (this.#countOf.get(address) ?? 0) + change;
    if (count === 0) this.#countOf.delete(address);
    else this.#countOf.set(address, count);
  }
}
