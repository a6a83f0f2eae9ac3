/** Options of an account. */
export interface AccountOptions extends SiblingOptions {
  /** The party that shares two thirds of the total: the peer address without its port. */
  readonly party: string;
  /** A bound for all that the party holds. The first account of the party that has one decides. Default: none. */
  readonly partyBound?: SharedBound | undefined;
}

/** A bound that accounts share beside those of the accountant. */
export interface SharedBound {
  /** Bytes that all its accounts together may hold. It may change. */
  readonly maxBytes: number;
  /** Bytes that they hold. Written by the accountant. */
  heldBytes: number;
  /** Called when the first account of a party, or an account, begins to count here, and when it has ended. */
  opened(): void;
  closed(): void;
  /** Called when something was not kept because of the bound. */
  refused(): void;
  /** Returns the reason for which no more may be kept. */
  whyNot(): string;
}

/** Options of an account beside another one. */
export interface SiblingOptions {
  /** For people, its kind first: `connection 10.0.0.7:52114`. */
  readonly name: string;
  /** Bytes that this account alone may hold. Default: no bound but the accountant's. */
  readonly maxBytes?: number | undefined;
  /** The name of the option that sets `maxBytes`, for texts. */
  readonly maxBytesName?: string | undefined;
  /**
   * Called when others needed the space; the account is closed already. The owner must free what was held for it. It must do so in
   * a later turn of the event loop, because the code that needs the space is still running. Undefined: what the account holds can't
   * be freed for others. So the account never gives way, and counts until it is closed.
   */
  readonly giveWay: ((reason: string) => void) | undefined;
}

/**
 * The use of bytes; it decides how much of what is free they may take. `opening`: a new connection or call. `urgent`: an answer or a
 * notice, which must find space beside what the client made the host keep. Default: `keeping`.
 */
export type AccountUse = "opening" | "keeping" | "urgent";

/**
 * The bytes that one client makes a host keep. The code that keeps something for the client takes its bytes here, and
 * releases them. After its end an account counts nothing and refuses nothing.
 */
export interface MemoryAccount {
  /** The party that the account belongs to: the peer address without its port. */
  readonly party: string;
  readonly held: number;
  /** Takes `bytes` for something that is kept for the client. False: it must not be kept; nothing was taken. */
  take(bytes: number, use?: AccountUse): boolean;
  /** Whether `take` would succeed now. Others may have to give way for that. */
  mayTake(bytes: number, use?: AccountUse): boolean;
  /** Takes bytes that `mayTake` has allowed in this turn of the event loop. */
  add(bytes: number): void;
  /** Gives back bytes that were taken. */
  release(bytes: number): void;
  /** Returns who holds too much, for a text. Call it when `take` has refused. */
  whyNot(bytes: number): string;
  /** Counts what it holds for a bound, too, and what siblings hold that are opened later. Does nothing if it has a bound already, or has ended. */
  joinBound(bound: SharedBound): void;
  /** Opens an account for something else of the same party; the caller closes it. */
  openSibling(options: SiblingOptions): MemoryAccount;
  /** Ends the account: what it held is free. */
  close(): void;
}

/** An account that was ended, so that others found space. */
export interface GaveWay {
  /** For people: `connection 10.0.0.7:52114`. */
  readonly name: string;
  readonly heldBytes: number;
  readonly reason: string;
}

/** Options of `createMemoryAccountant`. */
export interface MemoryAccountantOptions {
  /** Bytes that all accounts together may hold. Default: 512 MiB. */
  readonly maxBytes?: number | undefined;
  /** The name of the option that sets `maxBytes`, for texts. Default: `maxMemoryBytes`. */
  readonly optionName?: string | undefined;
  /** Called when an account gives way. It must not throw. */
  readonly onGaveWay?: ((who: GaveWay) => void) | undefined;
}

/**
 * Counts the bytes that clients make a host keep, in all, for each peer address and for each account: a connection, or a
 * registered client. It decides who may take more.
 *
 * An account may hold as much as is free, and a peer address twice as much. So one account gets at most half of the total, an
 * address gets two thirds, and there is space for a newcomer. What small accounts keep may use twice as much of what is free, and
 * what is urgent four times as much. An account that holds less than half of a fair share is served even if it finds no space. The
 * account that holds most gives way then, and loses its connection, if it holds twice as much.
 */
export interface MemoryAccountant {
  readonly maxBytes: number;
  /** Bytes that all accounts hold now. */
  readonly heldBytes: number;
  /** The number of accounts that have given way. */
  readonly gaveWay: number;
  /** Opens an account; the caller closes it. */
  openAccount(options: AccountOptions): MemoryAccount;
}
