import type { MemoryAccount } from "../../transport/internal.ts";
import type { Principal } from "../principal.ts";
import type { QuotaCheck } from "../quotas/quota-check.ts";
import type { Client } from "./client.ts";
import type { Clients } from "./clients.ts";
import type { Refusal, RegistrationReports } from "./registration-reports.ts";
import type { SubscriptionBook } from "./subscriptions/subscription-book.ts";

export interface RegistryBounds {
  /** Clients that are known at once. */
  readonly maxSessions: number;
  readonly maxTypesPerClient: number;
  readonly maxSubscriptionsPerClient: number;
  readonly maxSubscriptions: number;
}

export interface RegistrationBoundsParts {
  readonly bounds: RegistryBounds;
  readonly clients: Clients;
  readonly book: SubscriptionBook;
  readonly reports: RegistrationReports;
  /** Undefined: the host has no quotas. */
  readonly quotas: QuotaCheck | undefined;
}

/** Keeps the registry within its bounds. Each method reports the refusal that it returns; undefined: the client may register. */
export class RegistrationBounds {
  readonly #parts: RegistrationBoundsParts;

  constructor(parts: RegistrationBoundsParts) {
    this.#parts = parts;
  }

  /** Returns why the host takes no more agent types of the client. */
  whyNoMoreTypes(clientId: string, party: string, principal: Principal | undefined): Refusal | undefined {
    const { maxTypesPerClient } = this.#parts.bounds;
    const client = this.#parts.clients.find(clientId);
    const overuse = this.#overuse("types", client, { clientId, party, principal });
    if (overuse !== undefined) return overuse;
    if (client === undefined) return this.#whyNoMoreClients(clientId, party);
    if (client.own.types.size < maxTypesPerClient) return undefined;
    return this.#full(clientId, `This host takes ${maxTypesPerClient} agent types of one client.`);
  }

  /** Returns why the host takes no more subscriptions of the client. */
  whyNoMoreSubscriptions(
    clientId: string,
    account: MemoryAccount,
    principal: Principal | undefined,
  ): Refusal | undefined {
    const { clients, book } = this.#parts;
    const { maxSubscriptions, maxSubscriptionsPerClient } = this.#parts.bounds;
    const client = clients.find(clientId);
    const overuse = this.#overuse("subscriptions", client, { clientId, party: account.party, principal });
    if (overuse !== undefined) return overuse;
    const tooManyClients = client === undefined ? this.#whyNoMoreClients(clientId, account.party) : undefined;
    if (tooManyClients !== undefined) return tooManyClients;
    if (client !== undefined && client.own.subscriptions.size >= maxSubscriptionsPerClient) {
      return this.#full(clientId, `This host takes ${maxSubscriptionsPerClient} subscriptions of one client.`);
    }
    if (book.mayAdd(account)) return undefined;
    return this.#full(
      clientId,
      `This host takes ${maxSubscriptions} subscriptions, and two thirds of them from one address.`,
    );
  }

  /** Returns why the client's account has no space for a registration. */
  whyNoRoom(clientId: string, account: MemoryAccount, bytes: number): Refusal | undefined {
    return account.mayTake(bytes) ? undefined : this.#full(clientId, account.whyNot(bytes));
  }

  // protocol.md §2.5
  /** The quota reports what it refuses. */
  #overuse(
    what: "types" | "subscriptions",
    client: Client | undefined,
    {
      clientId,
      party,
      principal,
    }: { readonly clientId: string; readonly party: string; readonly principal: Principal | undefined },
  ): Refusal | undefined {
    const quota = client?.quota ?? this.#parts.quotas?.of(principal, party);
    const overuse = quota?.whyNotMore(what, { clientId });
    return overuse && { at: "full", reason: overuse.text };
  }

  #whyNoMoreClients(clientId: string, party: string): Refusal | undefined {
    const { clients, bounds } = this.#parts;
    return clients.mayAdd(party) ? undefined : this.#full(clientId, `This host takes ${bounds.maxSessions} clients.`);
  }

  #full(clientId: string, reason: string): Refusal {
    this.#parts.reports.limited(clientId, reason);
    return { at: "full", reason };
  }
}
