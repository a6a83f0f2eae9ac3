import { whyReserved } from "../../../core/internal.ts";
import type { WireSubscription } from "../../../protocol/internal.ts";
import type { MemoryAccount } from "../../../transport/internal.ts";
import { isSamePrincipal, type Principal } from "../../principal.ts";
import type { Client } from "../client.ts";
import { type ClientAccounts, registrationCost } from "../client-accounts.ts";
import type { Clients } from "../clients.ts";
import { topicOf, whyInvalidAgentType, whyTooLong } from "../name-checks.ts";
import type { RegistrationBounds } from "../registration-bounds.ts";
import { leavingRefusal, type RegistrationReports, type SubscriptionOutcome } from "../registration-reports.ts";
import type { EventRoutes } from "./event-routes.ts";
import type { HeldSubscription, NewSubscription, SubscriptionBook } from "./subscription-book.ts";
import type { SubscriptionListings } from "./subscription-listings.ts";

export interface ClientSubscriptionsParts {
  readonly book: SubscriptionBook;
  readonly clients: Clients;
  readonly accounts: ClientAccounts;
  readonly routes: EventRoutes;
  readonly listing: SubscriptionListings;
  readonly bounds: RegistrationBounds;
  readonly reports: RegistrationReports;
  /** Whether a client may remove its own subscriptions only. */
  readonly ownOnly: boolean;
  /** Does for a client what may be long. */
  readonly work: (clientId: string, tasks: Iterable<() => void>) => void;
}

/** The client that asks for a subscription, beside its id. */
interface Subscriber {
  readonly principal?: Principal | undefined;
  readonly account?: MemoryAccount | undefined;
}

/** The subscriptions of every client: each stands in the book, in the routes of events, and in the record of its client. */
export class ClientSubscriptions {
  readonly #parts: ClientSubscriptionsParts;
  #count = 0;

  constructor(parts: ClientSubscriptionsParts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#count;
  }

  /** All that count of these holders, in the order in which they came. */
  all(isShown: (holder: HeldSubscription["holder"]) => boolean): readonly WireSubscription[] {
    const all = [...this.#parts.book.values()];
    return all.filter(({ isLive, holder }) => isLive && isShown(holder)).map(({ id, pattern }) => ({ id, pattern }));
  }

  add(clientId: string, { id, pattern }: WireSubscription, from: Subscriber): SubscriptionOutcome {
    const { book, clients, accounts, bounds } = this.#parts;
    const { principal } = from;
    if (pattern === undefined) return { at: "invalid", reason: "Invalid subscription message." };
    const { agentType } = pattern;
    const topic = topicOf(pattern);
    const reason =
      whyInvalidAgentType(agentType) ??
      whyTooLong(agentType, id, topic) ??
      whyReserved("agent type", agentType) ??
      whyReserved("topic type", topic);
    if (reason !== undefined) return { at: "invalid", reason };
    if (clients.find(clientId)?.isLeaving) return leavingRefusal;
    switch (book.find(clients.find(clientId) ?? { clientId, principal }, { id, pattern })) {
      case "exists":
        return { at: "exists" };
      case "known":
        return { at: "added" };
      case undefined: {
        const account = accounts.of(clientId, from.account);
        const bytes = registrationCost.subscription({ id, pattern });
        const refusal =
          bounds.whyNoMoreSubscriptions(clientId, account, principal) ?? bounds.whyNoRoom(clientId, account, bytes);
        if (refusal !== undefined) return refusal;
        const holder = clients.find(clientId) ?? clients.expect(clientId, principal, account.party);
        return this.#enter({ id, pattern, holder, account });
      }
    }
  }

  /** Removes every subscription with this id. `foreign`: it belongs to another client, and only own ones may be removed. */
  remove(clientId: string, id: string, principal: Principal | undefined): "removed" | "unknown" | "foreign" {
    const { book, clients, ownOnly } = this.#parts;
    const own = book.ownWithId(clients.find(clientId) ?? { clientId, principal }, id);
    const removable = own.length > 0 || ownOnly ? own : this.#ofPrincipal(principal, id);
    if (removable.length === 0) {
      // A caller learns of no subscription of another principal, not even that there is one.
      return this.#ofPrincipal(principal, id).length > 0 ? "foreign" : "unknown";
    }
    for (const subscription of removable) this.#takeOut(subscription);
    return "removed";
  }

  /** A client that is not there any more had these: they count no more from now on, and are swept out in batches. */
  release(clientId: string, subscriptions: ReadonlySet<HeldSubscription>): void {
    this.#changeCount(-subscriptions.size);
    this.#parts.work(clientId, this.#removalsOf(subscriptions));
  }

  /** A client has lost a type to another: its subscriptions for the type count no more from now on, and are swept out in batches. */
  lose(client: Client, agentType: string): void {
    if (client.own.subscriptions.size === 0 && client.restoring === undefined) return;
    client.lose(agentType, this.#parts.book.lastNumber);
    this.#parts.listing.changed();
    if (client.isSweeping) return;
    client.isSweeping = true;
    this.#parts.work(client.clientId, this.#lossesOf(client));
  }

  #ofPrincipal(principal: Principal | undefined, id: string): readonly HeldSubscription[] {
    return [...this.#parts.book.withId(id)].filter(({ holder }) => isSamePrincipal(holder.principal, principal));
  }

  #enter(added: NewSubscription<Client>): SubscriptionOutcome {
    const { book, routes, reports } = this.#parts;
    const held = book.add(added);
    routes.add(held);
    added.holder.addSubscription(held);
    held.account.add(registrationCost.subscription(held));
    this.#changeCount(1);
    reports.subscriptionEntered(held);
    return { at: "added" };
  }

  /** Takes a subscription from a client that is not gone. */
  #takeOut(held: HeldSubscription): void {
    this.#parts.clients.find(held.holder.clientId)?.deleteSubscription(held);
    this.#changeCount(-1);
    this.#leave(held);
  }

  #changeCount(by: number): void {
    if (by === 0) return;
    this.#count += by;
    this.#parts.listing.changed();
  }

  #leave(held: HeldSubscription): void {
    const { book, routes, accounts } = this.#parts;
    book.remove(held);
    routes.remove(held);
    held.account.release(registrationCost.subscription(held));
    accounts.settle(held.holder.clientId);
  }

  *#removalsOf(subscriptions: Iterable<HeldSubscription>): Iterable<() => void> {
    for (const subscription of subscriptions) yield () => this.#leave(subscription);
  }

  *#lossesOf(client: Client): Iterable<() => void> {
    while (client.takeNewLosses()) {
      const last = this.#parts.book.lastNumber;
      for (const held of client.own.subscriptions) {
        // What is left of a client that has left is swept out with the rest.
        if (client.isGone) return;
        if (held.number > last) break;
        yield () => {
          if (client.hasLost(held)) this.#takeOut(held);
        };
      }
    }
    client.isSweeping = false;
    if (client.restoring === undefined) client.forgetLosses();
  }
}
