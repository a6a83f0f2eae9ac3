import type { TypeRecord } from "../records/records.ts";

/** An address may have so many times the names that are free. */
const freeParts = 2;

/**
 * Shares the names of agent types between the addresses of the workers that were the first to register them. A name stays for good. So one
 * address gets two thirds of them, and there are some for a newcomer.
 */
export class NameShares {
  readonly #most: number;
  readonly #countOf = new Map<string, number>();
  #size = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Notes a record that is new here, or has changed. */
  note({ addedBy = "" }: TypeRecord, before: TypeRecord | undefined): void {
    if (before === undefined) this.#size += 1;
    else if ((before.addedBy ?? "") === addedBy) return;
    else this.#count(before.addedBy ?? "", -1);
    this.#count(addedBy, 1);
  }

  /** Returns the reason for which the workers of an address can't add a name. Undefined: they can. */
  whyNot(address: string): "full" | "share" | undefined {
    const free = this.#most - this.#size;
    if (free <= 0) return "full";
    return (this.#countOf.get(address) ?? 0) + 1 > freeParts * free ? "share" : undefined;
  }

  #count(address: string, change: number): void {
    const count = (this.#countOf.get(address) ?? 0) + change;
    if (count === 0) this.#countOf.delete(address);
    else this.#countOf.set(address, count);
  }
}
