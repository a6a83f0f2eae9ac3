import { type AccountOptions, MemoryAccount } from "./memory-account.ts";
import { Standings } from "./standings.ts";

/** An account that was ended, so that others found space. */
export interface GaveWay {
  /** For people: `connection 10.0.0.7:52114`. */
  readonly name: string;
  readonly heldBytes: number;
  readonly reason: string;
}

/** Options of a `MemoryAccountant`. */
export interface MemoryAccountantOptions {
  /** Bytes that all accounts together may hold. Default: 512 MiB. */
  readonly maxBytes?: number;
  /** The name of the option that sets `maxBytes`, for texts. Default: `maxMemoryBytes`. */
  readonly optionName?: string;
  /** Called when an account gives way. It must not throw. */
  readonly onGaveWay?: (who: GaveWay) => void;
}

export const defaultTotalBytes = 512 * 1024 * 1024;

/** An account that holds less never has to give way. A smaller total lowers it. */
const busyBytes = 64 * 1024;
const busyParts = 1_024;

/** Accounts that may have to give way for one request. */
const mostGivingWay = 8;

/** All accounts of one peer address. */
export class MemoryParty {
  readonly name: string;
  readonly standings: Standings<MemoryAccount>;
  held = 0;
  accounts = 0;
  level = 0;

  constructor(name: string, leastBytes: number) {
    this.name = name;
    this.standings = new Standings(leastBytes);
  }
}

/**
 * Counts the bytes that clients make a host keep, in all, for each peer address and for each account: a connection, or a
 * registered client. It decides who may take more.
 *
 * An account may hold as much as is free, and a peer address twice as much. So one account gets at most half of the total, an
 * address gets two thirds, and there is space for a newcomer. An account that holds less than half of a fair share is served even if
 * it finds no space. The account that holds most gives way then, and loses its connection.
 */
export class MemoryAccountant {
  readonly maxBytes: number;
  readonly optionName: string;
  readonly #onGaveWay: (who: GaveWay) => void;
  readonly #parties = new Map<string, MemoryParty>();
  readonly #standings: Standings<MemoryParty>;
  readonly #leastBytes: number;
  #held = 0;
  #busy = 0;
  #gaveWay = 0;

  constructor(options: MemoryAccountantOptions = {}) {
    this.maxBytes = options.maxBytes ?? defaultTotalBytes;
    this.optionName = options.optionName ?? "maxMemoryBytes";
    this.#onGaveWay = options.onGaveWay ?? (() => undefined);
    this.#leastBytes = Math.min(busyBytes, this.maxBytes / busyParts);
    this.#standings = new Standings(this.#leastBytes);
  }

  /** Bytes that all accounts hold now. */
  get heldBytes(): number {
    return this.#held;
  }

  /** The number of accounts that have given way. */
  get gaveWay(): number {
    return this.#gaveWay;
  }

  /** Opens an account; the caller closes it. */
  openAccount(options: AccountOptions): MemoryAccount {
    let party = this.#parties.get(options.party);
    if (party === undefined) {
      party = new MemoryParty(options.party, this.#leastBytes);
      this.#parties.set(options.party, party);
    }
    party.accounts += 1;
    return new MemoryAccount(this, party, options);
  }

  /** Whether the account may hold `bytes` more without anybody giving way. For `MemoryAccount`. */
  fits(account: MemoryAccount, bytes: number, isUrgent = false): boolean {
    const left = this.maxBytes - this.#held;
    const free = isUrgent ? 2 * left : left;
    return (
      bytes <= left &&
      account.held + bytes <= free &&
      account.party.held + bytes <= 2 * free &&
      account.held + bytes <= account.maxBytes
    );
  }

  /** Books a change that the account has made. For `MemoryAccount`. */
  book(account: MemoryAccount, bytes: number): void {
    const { party } = account;
    this.#held += bytes;
    party.held += bytes;
    const wasBusy = account.level > 0;
    party.standings.update(account);
    this.#standings.update(party);
    if (wasBusy !== account.level > 0) this.#busy += wasBusy ? -1 : 1;
  }

  /** The account has ended. For `MemoryAccount`. */
  forget({ party }: MemoryAccount): void {
    party.accounts -= 1;
    if (party.accounts === 0) this.#parties.delete(party.name);
  }

  /** Lets others give way, if the account holds little. True: it may take the bytes now. For `MemoryAccount`. */
  makeRoom(account: MemoryAccount, bytes: number): boolean {
    const wanted = account.held + bytes;
    const fairShare = this.maxBytes / (this.#busy + 1);
    if (wanted > account.maxBytes || wanted > fairShare / 2) return false;
    for (let count = 0; count < mostGivingWay; count += 1) {
      const hog = this.#hogFor(account, bytes);
      if (hog === undefined || hog === account || hog.held <= wanted) return false;
      this.#giveWay(hog);
      if (this.fits(account, bytes)) return true;
    }
    return false;
  }

  /** Returns the reason for which the account may not take the bytes: who holds too much, and which option bounds it. */
  whyNot(account: MemoryAccount, bytes: number): string {
    const { held, maxBytes, name, maxBytesName } = account;
    if (held + bytes > maxBytes) {
      return `This ${kindOf(name)} makes the host keep ${held} bytes already, of ${maxBytes} (${maxBytesName}).`;
    }
    const all = `The host keeps ${this.#held} bytes of ${this.maxBytes} (${this.optionName})`;
    return `${all}, ${held} of them for this ${kindOf(name)}. Try again later.`;
  }

  /** The account that holds most, of the address that holds most; of the taker's own address, if that has more than its share. */
  #hogFor({ party }: MemoryAccount, bytes: number): MemoryAccount | undefined {
    const isOwn = party.held + bytes > 2 * (this.maxBytes - this.#held);
    const crowd = isOwn ? party : this.#standings.top(({ held }) => held);
    return crowd?.standings.top(({ held }) => held);
  }

  #giveWay(hog: MemoryAccount): void {
    const { name, held: heldBytes } = hog;
    const reason = `This ${kindOf(name)} made the host keep ${heldBytes} bytes, more than any other, and others needed space. The host keeps ${this.maxBytes} bytes in all (${this.optionName}).`;
    this.#gaveWay += 1;
    hog.close();
    this.#onGaveWay({ name, heldBytes, reason });
    hog.giveWay(reason);
  }
}

/** The first word of an account's name: what it is. */
function kindOf(name: string): string {
  return name.slice(0, name.indexOf(" "));
}

/** An account that counts nothing and refuses nothing, for calls of listeners that have no accountant. */
export function createUncountedAccount(): MemoryAccount {
  const account = new MemoryAccountant().openAccount({
    party: "",
    name: "connection of an uncounted listener",
    giveWay: () => undefined,
  });
  account.close();
  return account;
}
