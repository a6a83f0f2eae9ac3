import type { WireSubscription } from "../../protocol/internal.ts";
import { createUncountedAccount, type MemoryAccount } from "../../transport/internal.ts";
import { topicOf } from "./name-checks.ts";

/**
 * Memory beside the names, measured with 100 000 of each and rounded up. A client without a channel takes 1 330 bytes. An agent
 * type takes 170, and 40 more if it hears who calls it. A subscription takes 410 to 900, the most where clients share types and ids. One that events go by takes 200 more, or 440
 * with a prefix.
 */
const clientBytes = 1_400;
const typeBytes = 220;
const exactBytes = 1_100;
const prefixBytes = 1_400;
/** A reservation keeps the entries of sets, and the subscriptions without their indexes. */
const reservedBytes = 200;

/** A character of a name. The indexes write some names a second time. */
const nameCost = 2;
const indexedCost = 4;

export const registrationCost = {
  type: (agentType: string) => typeBytes + nameCost * agentType.length,
  subscription: ({ id, pattern }: WireSubscription) =>
    (pattern?.kind === "prefix" ? prefixBytes : exactBytes) +
    nameCost * id.length +
    indexedCost * patternChars(pattern),
  reservedClient: reservedBytes,
  reservedType: (agentType: string) => reservedBytes + nameCost * agentType.length,
  reservedSubscription: ({ id, pattern }: WireSubscription) =>
    reservedBytes + nameCost * (id.length + patternChars(pattern)),
} as const;

function costOfClient(clientId: string): number {
  return clientBytes + nameCost * clientId.length;
}

function patternChars(pattern: WireSubscription["pattern"]): number {
  if (pattern === undefined) return 0;
  return topicOf(pattern).length + pattern.agentType.length;
}

/**
 * The accounts of clients, for what the host keeps of them without a connection: agent types, subscriptions and reservations. Each
 * has the party of the connection from which the client came first. It lives while it holds something.
 */
export class ClientAccounts {
  readonly #accounts = new Map<string, MemoryAccount>();
  readonly #giveWay: (clientId: string, reason: string) => void;
  readonly #uncounted = createUncountedAccount();

  /** `giveWay` must free what the host keeps of the client, in a later turn, and `forget` the account then. */
  constructor(giveWay: (clientId: string, reason: string) => void) {
    this.#giveWay = giveWay;
  }

  /**
   * The account of a client. A client that has none gets one beside `from`, the account of the connection that it uses now. `settle`
   * must follow.
   */
  of(clientId: string, from: MemoryAccount | undefined): MemoryAccount {
    const known = this.#accounts.get(clientId);
    if (known !== undefined) return known;
    if (from === undefined) return this.#uncounted;
    const account = from.openSibling({
      name: `client ${clientId}`,
      giveWay: (reason) => this.#giveWay(clientId, reason),
    });
    account.add(costOfClient(clientId));
    this.#accounts.set(clientId, account);
    return account;
  }

  /** The peer address from which the client came first. A client that holds nothing has none. */
  partyOf(clientId: string): string {
    return this.#accounts.get(clientId)?.party ?? "";
  }

  /** Closes the account of a client that holds nothing any more. */
  settle(clientId: string): void {
    if (this.#accounts.get(clientId)?.held === costOfClient(clientId)) this.forget(clientId);
  }

  forget(clientId: string): void {
    this.#accounts.get(clientId)?.close();
    this.#accounts.delete(clientId);
  }
}
