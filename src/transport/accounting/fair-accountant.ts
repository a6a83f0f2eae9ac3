import { assertOptions, callable, number, optionShape, someRoom, text } from "../../core/internal.ts";
import { CountedAccount } from "./counted-account.ts";
import type {
  AccountOptions,
  AccountUse,
  GaveWay,
  MemoryAccount,
  MemoryAccountant,
  MemoryAccountantOptions,
  SharedBound,
} from "./memory-account.ts";
import { Standings } from "./standings.ts";

const defaultTotalBytes = 512 * 1024 * 1024;

/** An account that holds less never has to give way. A smaller total lowers it. */
const busyBytes = 64 * 1024;
const busyParts = 1_024;

/** An account that holds at most this part of the total may use what greedy ones must leave. So none has to give way for it. */
const smallParts = 256;

/** An account gives way only to one that then holds less than this part of it: of two that are alike, neither loses anything. */
const farMore = 2;

/** Accounts that may have to give way for one request. */
const mostGivingWay = 8;

/** All accounts of one peer address. */
export class Party {
  readonly name: string;
  readonly standings: Standings<CountedAccount>;
  bound: SharedBound | undefined;
  /** Bytes of all its accounts. */
  kept = 0;
  /** Bytes of those that may give way. */
  held = 0;
  accounts = 0;
  level = 0;
  levelFrom = 0;
  levelTo = 0;

  constructor(name: string, leastBytes: number) {
    this.name = name;
    this.standings = new Standings(leastBytes);
  }
}

/** The accountant of hosts and listeners. */
export class FairAccountant implements MemoryAccountant {
  readonly maxBytes: number;
  readonly optionName: string;
  readonly #onGaveWay: (who: GaveWay) => void;
  readonly #parties = new Map<string, Party>();
  readonly #standings: Standings<Party>;
  readonly #leastBytes: number;
  readonly #smallBytes: number;
  #held = 0;
  #busy = 0;
  #gaveWay = 0;

  constructor(options: MemoryAccountantOptions = {}) {
    this.maxBytes = options.maxBytes ?? defaultTotalBytes;
    this.optionName = options.optionName ?? "maxMemoryBytes";
    this.#onGaveWay = options.onGaveWay ?? (() => undefined);
    this.#leastBytes = Math.min(busyBytes, this.maxBytes / busyParts);
    this.#smallBytes = this.maxBytes / smallParts;
    this.#standings = new Standings(this.#leastBytes);
  }

  get heldBytes(): number {
    return this.#held;
  }

  get gaveWay(): number {
    return this.#gaveWay;
  }

  openAccount(options: AccountOptions): CountedAccount {
    let party = this.#parties.get(options.party);
    if (party === undefined) {
      party = new Party(options.party, this.#leastBytes);
      this.#parties.set(options.party, party);
    }
    party.accounts += 1;
    if (party.bound === undefined && options.partyBound !== undefined) bind(party, options.partyBound);
    return new CountedAccount(this, party, options);
  }

  /** Whether the account may hold `bytes` more without anybody giving way. For its accounts. */
  fits(account: CountedAccount, bytes: number, use: AccountUse): boolean {
    const left = this.maxBytes - this.#held;
    const isSmall = use === "keeping" && account.held + bytes <= this.#smallBytes;
    const free = left * (use === "urgent" ? 4 : isSmall ? 2 : 1);
    return (
      this.oversteppedBy(account, bytes, use) === undefined &&
      bytes <= left &&
      account.held + bytes <= free &&
      account.totals.kept + bytes <= 2 * free &&
      account.held + bytes <= account.maxBytes
    );
  }

  /** The shared bound beyond which the account would be. The total alone bounds what is urgent. For its accounts. */
  oversteppedBy({ bound, totals }: CountedAccount, bytes: number, use: AccountUse): SharedBound | undefined {
    if ((bound === undefined && totals.bound === undefined) || use === "urgent") return undefined;
    return [bound, totals.bound].find((one) => one !== undefined && one.heldBytes + bytes > one.maxBytes);
  }

  /** Books a change that the account has made. For its accounts. */
  book(account: CountedAccount, bytes: number): void {
    const { totals: party } = account;
    this.#held += bytes;
    party.kept += bytes;
    if (party.bound !== undefined) party.bound.heldBytes += bytes;
    if (account.giveWay === undefined) return;
    party.held += bytes;
    const wasBusy = account.level > 0;
    party.standings.update(account);
    this.#standings.update(party);
    if (wasBusy !== account.level > 0) this.#busy += wasBusy ? -1 : 1;
  }

  /** The account has ended. For its accounts. */
  forget({ totals: party }: CountedAccount): void {
    party.accounts -= 1;
    if (party.accounts > 0) return;
    this.#parties.delete(party.name);
    party.bound?.closed();
  }

  /** Lets others give way, if the account holds little. True: it may take the bytes now. For its accounts. */
  makeRoom(account: CountedAccount, bytes: number, use: AccountUse): boolean {
    const wanted = account.held + bytes;
    const fairShare = this.maxBytes / (this.#busy + 1);
    if (wanted > account.maxBytes || wanted > fairShare / 2) return false;
    for (let count = 0; count < mostGivingWay; count += 1) {
      const hog = this.#hog();
      if (hog === undefined || hog === account || hog.held < farMore * wanted) return false;
      this.#giveWay(hog);
      // Something new for which others gave way need leave no more space than what is kept.
      if (this.fits(account, bytes, use === "opening" ? "keeping" : use)) return true;
    }
    return false;
  }

  /** Returns the reason for which the account may not take the bytes: who holds too much, and which option bounds it. */
  whyNot(account: CountedAccount, bytes: number): string {
    const { held, maxBytes, name, maxBytesName } = account;
    if (held + bytes > maxBytes) {
      return `This ${kindOf(name)} makes the host keep ${held} bytes already, of ${maxBytes} (${maxBytesName}).`;
    }
    const bound = this.oversteppedBy(account, bytes, "keeping");
    if (bound !== undefined) return bound.whyNot();
    const all = `The host keeps ${this.#held} bytes of ${this.maxBytes} (${this.optionName})`;
    return `${all}, ${held} of them for this ${kindOf(name)}. Try again later.`;
  }

  /** The account that holds most, of the address that holds most. */
  #hog(): CountedAccount | undefined {
    return this.#standings.top()?.standings.top();
  }

  #giveWay(hog: CountedAccount): void {
    const { name, held: heldBytes } = hog;
    const reason = `This ${kindOf(name)} made the host keep ${heldBytes} bytes, more than any other, and others needed space. The host keeps ${this.maxBytes} bytes in all (${this.optionName}).`;
    this.#gaveWay += 1;
    hog.close();
    this.#onGaveWay({ name, heldBytes, reason });
    hog.giveWay?.(reason);
  }
}

function bind(party: Party, bound: SharedBound): void {
  party.bound = bound;
  bound.heldBytes += party.kept;
  bound.opened();
}

/** The first word of an account's name: what it is. */
function kindOf(name: string): string {
  return name.split(" ", 1)[0] ?? name;
}

const shape = optionShape<MemoryAccountantOptions>({
  maxBytes: number(someRoom),
  optionName: text,
  onGaveWay: callable,
});

/**
 * Creates an accountant, for a listener of your own: `listen(address, services, { accountant })`. Throws `invalid-argument` for unknown
 * options and for values of a wrong kind.
 */
export function createMemoryAccountant(options?: MemoryAccountantOptions): MemoryAccountant {
  if (options !== undefined) assertOptions(options, shape, "createMemoryAccountant");
  return new FairAccountant(options);
}

/** An account that counts nothing and refuses nothing, for calls of listeners that have no accountant. */
export function createUncountedAccount(): MemoryAccount {
  const account = new FairAccountant().openAccount({
    party: "",
    name: "connection of an uncounted listener",
    giveWay: () => undefined,
  });
  account.close();
  return account;
}
