import type { FairAccountant, Party } from "./fair-accountant.ts";
import type { AccountOptions, AccountUse, MemoryAccount, SharedBound, SiblingOptions } from "./memory-account.ts";

/** The account that `FairAccountant` opens. */
export class CountedAccount implements MemoryAccount {
  readonly name: string;
  readonly maxBytes: number;
  readonly maxBytesName: string;
  readonly party: string;
  /** The sum of all accounts of its party. */
  readonly totals: Party;
  readonly #accountant: FairAccountant;
  /** Its place among those that hold most; written by `Standings`. */
  level = 0;
  levelFrom = 0;
  levelTo = 0;
  readonly giveWay: ((reason: string) => void) | undefined;
  #bound: SharedBound | undefined;
  #held = 0;
  #isClosed = false;

  constructor(accountant: FairAccountant, party: Party, options: AccountOptions) {
    this.#accountant = accountant;
    this.party = party.name;
    this.totals = party;
    this.name = options.name;
    this.maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY;
    this.maxBytesName = options.maxBytesName ?? accountant.optionName;
    this.giveWay = options.giveWay;
  }

  get held(): number {
    return this.#held;
  }

  /** The bound that it shares with other accounts. */
  get bound(): SharedBound | undefined {
    return this.#bound;
  }

  take(bytes: number, use?: AccountUse): boolean {
    if (!this.mayTake(bytes, use)) return false;
    if (!this.#isClosed) this.#change(bytes);
    return true;
  }

  mayTake(bytes: number, use: AccountUse = "keeping"): boolean {
    if (this.#isClosed || this.#accountant.fits(this, bytes, use)) return true;
    const overstepped = this.#accountant.oversteppedBy(this, bytes, use);
    if (overstepped === undefined) return this.#accountant.makeRoom(this, bytes, use);
    overstepped.refused();
    return false;
  }

  add(bytes: number): void {
    if (!this.#isClosed) this.#change(bytes);
  }

  release(bytes: number): void {
    if (!this.#isClosed) this.#change(-bytes);
  }

  whyNot(bytes: number): string {
    return this.#accountant.whyNot(this, bytes);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#change(-this.#held);
    this.#isClosed = true;
    this.#bound?.closed();
    this.#accountant.forget(this);
  }

  joinBound(bound: SharedBound): void {
    if (this.#isClosed || this.#bound !== undefined) return;
    this.#bound = bound;
    bound.heldBytes += this.#held;
    bound.opened();
  }

  openSibling(options: SiblingOptions): CountedAccount {
    const sibling = this.#accountant.openAccount({ ...options, party: this.party });
    if (this.#bound !== undefined) sibling.joinBound(this.#bound);
    return sibling;
  }

  #change(bytes: number): void {
    this.#held += bytes;
    if (this.#bound !== undefined) this.#bound.heldBytes += bytes;
    this.#accountant.book(this, bytes);
  }
}
