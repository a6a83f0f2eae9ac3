import type { MemoryAccountant, MemoryParty } from "./memory-accountant.ts";

/** Options of an account. */
export interface AccountOptions {
  /** The peer address without its port: see `partyOf`. */
  readonly party: string;
  /** For people, its kind first: `connection 10.0.0.7:52114`. */
  readonly name: string;
  /** Bytes that this account alone may hold. Default: no bound but the accountant's. */
  readonly maxBytes?: number;
  /** The name of the option that sets `maxBytes`, for texts. */
  readonly maxBytesName?: string;
  /**
   * Called when others needed the space; the account is closed already. The owner must free what was held for it. It must do so in
   * a later turn of the event loop, because the code that needs the space is still running.
   */
  readonly giveWay: (reason: string) => void;
}

/**
 * The bytes that one client makes a host keep. The code that keeps something for the client takes its bytes here, and
 * releases them. After its end an account counts nothing and refuses nothing.
 */
export class MemoryAccount {
  readonly name: string;
  readonly maxBytes: number;
  readonly maxBytesName: string;
  readonly party: MemoryParty;
  readonly accountant: MemoryAccountant;
  /** Its place among those that hold most; written by `Standings`. */
  level = 0;
  readonly giveWay: (reason: string) => void;
  #held = 0;
  #isClosed = false;

  /** Use `MemoryAccountant.openAccount`. */
  constructor(accountant: MemoryAccountant, party: MemoryParty, options: AccountOptions) {
    this.accountant = accountant;
    this.party = party;
    this.name = options.name;
    this.maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY;
    this.maxBytesName = options.maxBytesName ?? accountant.optionName;
    this.giveWay = options.giveWay;
  }

  get held(): number {
    return this.#held;
  }

  /** Takes `bytes` for something that is kept for the client. False: it must not be kept; nothing was taken. */
  take(bytes: number): boolean {
    if (!this.mayTake(bytes)) return false;
    if (!this.#isClosed) this.#change(bytes);
    return true;
  }

  /**
   * Whether `take` would succeed now. Others may have to give way for that. `isUrgent`: an answer or a notice may take twice as
   * much of what is free. So it finds space beside what the client made the host keep.
   */
  mayTake(bytes: number, isUrgent = false): boolean {
    return this.#isClosed || this.accountant.fits(this, bytes, isUrgent) || this.accountant.makeRoom(this, bytes);
  }

  /** Takes bytes that `mayTake` has allowed in this turn of the event loop. */
  add(bytes: number): void {
    if (!this.#isClosed) this.#change(bytes);
  }

  /** Gives back bytes that were taken. */
  release(bytes: number): void {
    if (!this.#isClosed) this.#change(-bytes);
  }

  /** For a text: who holds too much. Call it when `take` has refused. */
  whyNot(bytes: number): string {
    return this.accountant.whyNot(this, bytes);
  }

  /** Ends the account: what it held is free. */
  close(): void {
    if (this.#isClosed) return;
    this.#change(-this.#held);
    this.#isClosed = true;
    this.accountant.forget(this);
  }

  #change(bytes: number): void {
    this.#held += bytes;
    this.accountant.book(this, bytes);
  }
}
