import type { MemoryAccount } from "../../transport/internal.ts";
import { registrationCost } from "./client-accounts.ts";
import type { HeldSubscription } from "./subscriptions/subscription-book.ts";

/** The registrations that a client has now. */
export interface Registrations {
  readonly types: ReadonlySet<string>;
  readonly subscriptions: ReadonlySet<HeldSubscription>;
  /** The bytes that a reservation of them takes. */
  readonly reservedBytes: number;
}

/** Sets that are read one after the other, each from where the last reader stopped. */
interface Chain<T> {
  readonly items: Iterator<T>;
  readonly rest: Chain<T> | undefined;
}

/**
 * The registrations that a client had before it left, for its return. They stay in the sets of the records that are gone. Nothing is
 * copied, so that leaving and coming back cost the same however many they are. Agent types come first.
 */
export class KeptRegistrations {
  readonly #account: MemoryAccount;
  #types: Chain<string> | undefined;
  #subscriptions: Chain<HeldSubscription> | undefined;
  #entries: number;
  #bytes: number;
  #settle: () => void = () => undefined;
  /** Resolves when all is restored, or will not be. */
  readonly restored: Promise<void>;

  private constructor(account: MemoryAccount, { types, subscriptions, reservedBytes }: Registrations) {
    this.#account = account;
    this.#types = { items: types.values(), rest: undefined };
    this.#subscriptions = { items: subscriptions.values(), rest: undefined };
    this.#entries = types.size + subscriptions.size;
    this.#bytes = reservedBytes;
    this.restored = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** Keeps what a client has, and what it has not got back yet. Undefined: there is nothing, or no memory for it. */
  static keep(
    own: Registrations,
    rest: KeptRegistrations | undefined,
    account: MemoryAccount,
  ): KeptRegistrations | undefined {
    const kept = new KeptRegistrations(account, own);
    const isEmpty = kept.isEmpty && (rest === undefined || rest.isEmpty);
    if (isEmpty || !account.take(kept.#bytes)) {
      rest?.drop();
      return undefined;
    }
    if (rest !== undefined) kept.#append(rest);
    return kept;
  }

  /** Agent types and subscriptions. */
  get entries(): number {
    return this.#entries;
  }

  get isEmpty(): boolean {
    return this.#entries <= 0;
  }

  /** Takes the next entry out. Undefined: that was the last. */
  next(): string | HeldSubscription | undefined {
    for (; this.#types !== undefined; this.#types = this.#types.rest) {
      const { done, value } = this.#types.items.next();
      if (!done) return this.#taken(value, registrationCost.reservedType(value));
    }
    for (; this.#subscriptions !== undefined; this.#subscriptions = this.#subscriptions.rest) {
      const { done, value } = this.#subscriptions.items.next();
      if (!done) return this.#taken(value, registrationCost.reservedSubscription(value));
    }
    this.drop();
    return undefined;
  }

  /** Forgets what is left. */
  drop(): void {
    this.#types = undefined;
    this.#subscriptions = undefined;
    this.#account.release(this.#bytes);
    this.#bytes = 0;
    this.#entries = 0;
    this.#settle();
  }

  #taken<T>(entry: T, bytes: number): T {
    this.#entries -= 1;
    this.#bytes -= bytes;
    this.#account.release(bytes);
    return entry;
  }

  /** Takes over what another one has left. */
  #append(other: KeptRegistrations): void {
    this.#types = chained(this.#types, other.#types);
    this.#subscriptions = chained(this.#subscriptions, other.#subscriptions);
    this.#entries += other.#entries;
    this.#bytes += other.#bytes;
    other.#bytes = 0;
    other.drop();
  }
}

function chained<T>(first: Chain<T> | undefined, rest: Chain<T> | undefined): Chain<T> | undefined {
  return first === undefined ? rest : { items: first.items, rest };
}
