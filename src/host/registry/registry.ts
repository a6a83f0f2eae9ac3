import type { Clock, Logger } from "../../core/internal.ts";
import type { WireSubscription } from "../../protocol/internal.ts";
import type { MemoryAccount } from "../../transport/internal.ts";
import { BatchRunner } from "../batch-runner.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { HostObserver } from "../observer.ts";
import { isSamePrincipal, type Principal } from "../principal.ts";
import { ClientAccounts, registrationCost } from "./client-accounts.ts";
import { type Client, Clients, type ClientsParts } from "./clients.ts";
import { keptText, topicOf, whyInvalidAgentType, whyTooLong } from "./name-checks.ts";
import { type HeldSubscription, SubscriptionBook } from "./subscription-book.ts";
import { TopicIndex } from "./topic-index.ts";
import type { TypeOwners } from "./type-owners.ts";

export type TypeOutcome = { readonly at: "registered" } | { readonly at: "taken"; readonly by: string } | Refusal;

export type SubscriptionOutcome = { readonly at: "added" } | { readonly at: "exists" } | Refusal;

/** `full`: a bound of the host's options is reached. */
type Refusal = { readonly at: "invalid" | "full"; readonly reason: string };

export interface RegistryBounds {
  /** Clients that are known at once. */
  readonly maxSessions: number;
  readonly maxTypesPerClient: number;
  readonly maxSubscriptionsPerClient: number;
  readonly maxSubscriptions: number;
}

export interface RegistryParts extends Pick<ClientsParts, "pendingOf"> {
  readonly owners: TypeOwners;
  readonly counters: MutableHostCounters;
  readonly clock: Clock;
  readonly logger: Logger | undefined;
  readonly observer: HostObserver | undefined;
  readonly orphanMs: number;
  readonly ownOnly: boolean;
  readonly allowMultipleOwners: boolean;
  readonly bounds: RegistryBounds;
  /** Others needed the space that a client's registrations take: the host forgets the client in a later turn. */
  readonly giveWay: (clientId: string, reason: string) => void;
}

// protocol.md H13, H14
/** The agent types and subscriptions of every client. Nothing invalid gets in. */
export class Registry {
  /** Finds the agent types that an event goes to. */
  readonly topics = new TopicIndex();
  readonly #book: SubscriptionBook;
  readonly #clients: Clients;
  readonly #accounts: ClientAccounts;
  readonly #sweeps: BatchRunner;
  readonly #restorations: BatchRunner;
  readonly #parts: RegistryParts;
  #subscriptionCount = 0;

  constructor(parts: RegistryParts) {
    this.#parts = parts;
    this.#book = new SubscriptionBook({ comparesClients: !parts.allowMultipleOwners });
    this.#accounts = new ClientAccounts(parts.giveWay);
    const { maxSessions: maxClients, maxSubscriptions: maxReservedEntries } = parts.bounds;
    this.#clients = new Clients({
      clock: parts.clock,
      orphanMs: parts.orphanMs,
      bounds: { maxClients, maxReservedEntries },
      pendingOf: parts.pendingOf,
      accounts: this.#accounts,
      onExpired: (client) => this.#expire(client),
    });
    this.#sweeps = new BatchRunner(parts.clock);
    this.#restorations = new BatchRunner(parts.clock);
  }

  get subscriptionCount(): number {
    return this.#subscriptionCount;
  }

  /** The number of clients that may come back under their ids and find what they had registered. */
  get reservedCount(): number {
    return this.#clients.reservedCount;
  }

  /** Returns what a client has registered now. */
  declaredBy(clientId: string): { readonly types: ReadonlySet<string>; readonly subscriptionCount: number } {
    const client = this.#clients.find(clientId);
    return { types: client?.types ?? noTypes, subscriptionCount: client?.subscriptions.size ?? 0 };
  }

  /** Returns the principal that a client belongs to which has registered, has a channel, or may come back; undefined: no such client. */
  ownerOf(clientId: string): { readonly principal: Principal | undefined } | undefined {
    return this.#clients.ownerOf(clientId);
  }

  /** A client that is new belongs to `principal` from now on. `from`: the account of the connection that asks. */
  registerType(clientId: string, agentType: string, principal?: Principal, from?: MemoryAccount): TypeOutcome {
    const outcome = this.#registerType(clientId, agentType, principal, from);
    this.#accounts.settle(clientId);
    const { observer } = this.#parts;
    if (outcome.at === "registered") observer?.({ at: "registration", what: "type", clientId, agentType });
    else {
      observer?.({
        at: "registration",
        what: "refused",
        clientId,
        agentType: keptText(agentType),
        subscriptionId: undefined,
        reason: outcome.at === "taken" ? "Another client holds the agent type." : keptText(outcome.reason),
        holder: outcome.at === "taken" ? outcome.by : undefined,
      });
    }
    return outcome;
  }

  /** As for `registerType`. */
  addSubscription(
    clientId: string,
    subscription: WireSubscription,
    principal?: Principal,
    from?: MemoryAccount,
  ): SubscriptionOutcome {
    const outcome = this.#addSubscription(clientId, subscription, principal, from);
    this.#accounts.settle(clientId);
    const { observer } = this.#parts;
    if (observer === undefined) return outcome;
    const { id: subscriptionId, pattern } = subscription;
    const about = { at: "registration", clientId, agentType: pattern?.agentType, subscriptionId } as const;
    if (outcome.at === "added") observer({ ...about, what: "subscribed" });
    else {
      const reason = outcome.at === "exists" ? "An equal subscription exists." : outcome.reason;
      const refused = {
        agentType: about.agentType && keptText(about.agentType),
        subscriptionId: keptText(subscriptionId),
      };
      observer({ ...about, ...refused, what: "refused", reason: keptText(reason), holder: undefined });
    }
    return outcome;
  }

  /** Removes every subscription with this id. `foreign`: it belongs to another client, and only own ones may be removed. */
  removeSubscription(clientId: string, id: string, principal?: Principal): "removed" | "unknown" | "foreign" {
    const outcome = this.#removeSubscription(clientId, id, principal);
    if (outcome === "removed") {
      const what = "unsubscribed";
      this.#parts.observer?.({ at: "registration", what, clientId, agentType: undefined, subscriptionId: id });
    }
    return outcome;
  }

  /** All clients' subscriptions, in the order in which they came. */
  subscriptions(): readonly WireSubscription[] {
    return this.#book.all().map(({ id, pattern }) => ({ id, pattern }));
  }

  /** The client's channel is open: what it registered ahead stays from now on, and what it had before is its own again. */
  clientArrived(clientId: string, principal: Principal | undefined, from?: MemoryAccount): void {
    const { client, before } = this.#clients.arrive(clientId, principal);
    if (before === undefined) return;
    // protocol.md §2.1: what others have claimed meanwhile stays theirs.
    for (const agentType of before.types) this.registerType(clientId, agentType, principal, from);
    client.restoring = new Set(before.subscriptions);
    this.#restorations.add(this.#restorationsOf(client, from));
  }

  /** The client is gone with all that it registered. If it comes back within the grace, it finds that again. */
  clientLeft(clientId: string, graceMs: number): void {
    const client = this.#clients.find(clientId);
    if (client !== undefined) this.#remove(client, graceMs);
  }

  // protocol.md §11.2
  /** The client stops: others may register its types. It has no subscriptions any more. Returns the types that it gave up. */
  clientLeaving(clientId: string): ReadonlySet<string> {
    const client = this.#clients.find(clientId);
    if (client === undefined) return noTypes;
    const types = new Set(client.types);
    const subscriptions = [...client.subscriptions];
    if (client.state.at === "serving") this.#clients.beginLeaving(client);
    client.types.clear();
    client.subscriptions.clear();
    client.restoring.clear();
    this.#releaseTypes(clientId, types);
    this.#subscriptionCount -= subscriptions.length;
    this.#sweeps.add(this.#removalsOf(subscriptions));
    return types;
  }

  /** Forgets a client with all that it registered or reserved, whatever state it is in. */
  forget(clientId: string): void {
    this.clientLeft(clientId, 0);
    this.#clients.dropReserved(clientId);
    this.#accounts.forget(clientId);
  }

  /** Stops all timers. */
  close(): void {
    this.#clients.close();
    this.#restorations.finish();
    this.#sweeps.finish();
  }

  #registerType(
    clientId: string,
    agentType: string,
    principal: Principal | undefined,
    from: MemoryAccount | undefined,
  ): TypeOutcome {
    const reason = whyInvalidAgentType(agentType) ?? whyTooLong(agentType);
    if (reason !== undefined) return { at: "invalid", reason };
    const { owners, bounds } = this.#parts;
    const known = this.#clients.find(clientId);
    if (known?.isLeaving) return leaving;
    if (known?.types.has(agentType)) return { at: "registered" };
    if (known !== undefined && known.types.size >= bounds.maxTypesPerClient) {
      return this.#full(clientId, `This host takes ${bounds.maxTypesPerClient} agent types of one client.`);
    }
    if (known === undefined && this.#clients.isFull) return this.#tooManyClients(clientId);
    const account = this.#accounts.of(clientId, from);
    const bytes = registrationCost.type(agentType);
    if (!account.mayTake(bytes)) return this.#full(clientId, account.whyNot(bytes));
    const claim = owners.claim(agentType, clientId);
    if (claim.at === "held") return { at: "taken", by: claim.by };
    if (claim.from !== undefined) this.#displace(claim.from, agentType);
    (known ?? this.#clients.expect(clientId, principal)).types.add(agentType);
    account.add(bytes);
    for (const holder of this.#book.holdersOf(agentType)) this.#warnIfUseless(agentType, holder.clientId);
    return { at: "registered" };
  }

  // protocol.md §7
  /** Another client has taken a type from a deaf one: what that had for the type would stand in the way, and routes nothing more. */
  #displace(clientId: string, agentType: string): void {
    this.#parts.logger?.info("a .NET worker that answers no calls loses an agent type", { agentType, clientId });
    const client = this.#clients.find(clientId);
    if (client?.types.delete(agentType)) this.#releaseTypes(clientId, [agentType]);
    for (const subscription of client?.subscriptions ?? []) {
      if (subscription.pattern.agentType !== agentType) continue;
      this.#subscriptionCount -= 1;
      this.#leave(subscription);
      client?.subscriptions.delete(subscription);
    }
    for (const waiting of client?.restoring ?? [])
      if (waiting.pattern?.agentType === agentType) client?.restoring.delete(waiting);
  }

  #addSubscription(
    clientId: string,
    { id, pattern }: WireSubscription,
    principal: Principal | undefined,
    from: MemoryAccount | undefined,
  ): SubscriptionOutcome {
    if (pattern === undefined) return { at: "invalid", reason: "Invalid subscription message." };
    const reason = whyInvalidAgentType(pattern.agentType) ?? whyTooLong(pattern.agentType, id, topicOf(pattern));
    if (reason !== undefined) return { at: "invalid", reason };
    if (this.#clients.find(clientId)?.isLeaving) return leaving;
    switch (this.#book.find(this.#clients.find(clientId) ?? { clientId, principal }, { id, pattern })) {
      case "exists":
        return { at: "exists" };
      case "known":
        return { at: "added" };
      case undefined: {
        const account = this.#accounts.of(clientId, from);
        const refusal = this.#whyFull(clientId) ?? this.#whyNoRoom(clientId, { id, pattern }, account);
        if (refusal !== undefined) return refusal;
        const holder = this.#clients.find(clientId) ?? this.#clients.expect(clientId, principal);
        return this.#enter({ id, pattern, holder, account });
      }
    }
  }

  #removeSubscription(
    clientId: string,
    id: string,
    principal: Principal | undefined,
  ): "removed" | "unknown" | "foreign" {
    const held = this.#book.withId(id);
    const own = held.filter(({ holder }) => holder.clientId === clientId);
    const others = this.#parts.ownOnly ? [] : held.filter(({ holder }) => isSamePrincipal(holder.principal, principal));
    const removable = own.length > 0 ? own : others;
    if (removable.length === 0) {
      if (this.#stopRestoring(clientId, id)) return "removed";
      return held.length === 0 ? "unknown" : "foreign";
    }
    for (const subscription of removable) {
      this.#subscriptionCount -= 1;
      this.#leave(subscription);
      this.#clients.find(subscription.holder.clientId)?.subscriptions.delete(subscription);
    }
    return "removed";
  }

  #enter(held: HeldSubscription & { readonly holder: Client }): SubscriptionOutcome {
    this.#book.add(held);
    this.topics.add(held.pattern);
    held.holder.subscriptions.add(held);
    held.account.add(registrationCost.subscription(held));
    this.#subscriptionCount += 1;
    this.#warnIfUseless(held.pattern.agentType, held.holder.clientId);
    return { at: "added" };
  }

  #leave(held: HeldSubscription): void {
    this.#book.remove(held);
    this.topics.remove(held.pattern);
    held.account.release(registrationCost.subscription(held));
    this.#accounts.settle(held.holder.clientId);
  }

  #expire(client: Client): void {
    const { clientId } = client;
    const { counters, logger, observer } = this.#parts;
    counters.expiredClients += 1;
    logger?.warn("a client registered but never opened its channel; its registrations are forgotten", { clientId });
    observer?.({ at: "registration", what: "expired", clientId });
    this.#remove(client, 0);
  }

  #remove(client: Client, graceMs: number): void {
    const { clientId, types, subscriptions } = client;
    this.#clients.leave(client, graceMs);
    this.#releaseTypes(clientId, types);
    this.#subscriptionCount -= subscriptions.size;
    this.#sweeps.add(this.#removalsOf(subscriptions));
  }

  /** A client gives types up. Types that have gone to another client stay there. */
  #releaseTypes(clientId: string, types: Iterable<string>): void {
    const account = this.#accounts.of(clientId, undefined);
    for (const agentType of types) {
      this.#parts.owners.release(agentType, clientId);
      account.release(registrationCost.type(agentType));
    }
    this.#accounts.settle(clientId);
  }

  *#removalsOf(subscriptions: Iterable<HeldSubscription>): Iterable<() => void> {
    for (const subscription of subscriptions) yield () => this.#leave(subscription);
  }

  *#restorationsOf(client: Client, from: MemoryAccount | undefined): Iterable<() => void> {
    const { restoring } = client;
    for (const subscription of restoring) {
      // The client may have left again; then the rest is kept with what it had.
      if (client.isGone) return;
      yield () => {
        restoring.delete(subscription);
        this.addSubscription(client.clientId, subscription, client.principal, from);
      };
    }
  }

  #stopRestoring(clientId: string, id: string): boolean {
    const restoring = this.#clients.find(clientId)?.restoring;
    for (const subscription of restoring ?? [])
      if (subscription.id === id) return restoring?.delete(subscription) === true;
    return false;
  }

  /** Returns a refusal if the host can't keep one more subscription of this client. */
  #whyFull(clientId: string): Refusal | undefined {
    const { maxSubscriptions, maxSubscriptionsPerClient } = this.#parts.bounds;
    const client = this.#clients.find(clientId);
    if (client === undefined && this.#clients.isFull) return this.#tooManyClients(clientId);
    if (client !== undefined && client.subscriptions.size >= maxSubscriptionsPerClient) {
      return this.#full(clientId, `This host takes ${maxSubscriptionsPerClient} subscriptions of one client.`);
    }
    const isTooMany = this.#book.size >= maxSubscriptions;
    return isTooMany ? this.#full(clientId, `This host takes ${maxSubscriptions} subscriptions.`) : undefined;
  }

  #whyNoRoom(clientId: string, subscription: WireSubscription, account: MemoryAccount): Refusal | undefined {
    const bytes = registrationCost.subscription(subscription);
    return account.mayTake(bytes) ? undefined : this.#full(clientId, account.whyNot(bytes));
  }

  #tooManyClients(clientId: string): Refusal {
    return this.#full(clientId, `This host takes ${this.#parts.bounds.maxSessions} clients.`);
  }

  #full(clientId: string, reason: string): Refusal {
    const { counters, observer } = this.#parts;
    counters.refusedByLimit += 1;
    observer?.({ at: "limited", what: "registrations", clientId, detail: reason });
    return { at: "full", reason };
  }

  // protocol.md §0, H17
  /** Warns of a subscription that has no effect: a worker matches events against its own subscriptions only. */
  #warnIfUseless(agentType: string, clientId: string): void {
    const owners = this.#parts.owners.owners(agentType);
    if (owners.length === 0 || owners.includes(clientId)) return;
    const text = "a subscription for an agent type of another worker has no effect there";
    this.#parts.logger?.warn(text, { agentType, clientId });
  }
}

const noTypes: ReadonlySet<string> = new Set();

/** A registration may overtake the notice that its worker stops, or come after it. */
const leaving: Refusal = { at: "invalid", reason: "The worker has said that it stops, and can register nothing more." };
