import { type Clock, type SharingTerms, whyReserved } from "../../core/internal.ts";
import type { WireSubscription } from "../../protocol/internal.ts";
import { type MemoryAccount, partyOfCall } from "../../transport/internal.ts";
import type { BatchRunner } from "../batch-runner.ts";
import { isSamePrincipal, type Principal } from "../principal.ts";
import type { QuotaCheck } from "../quotas/quota-check.ts";
import type { Client } from "./client.ts";
import { ClientAccounts, registrationCost } from "./client-accounts.ts";
import { Clients, type ClientsParts } from "./clients.ts";
import type { KeptRegistrations } from "./kept-registrations.ts";
import { whyInvalidAgentType, whyTooLong } from "./name-checks.ts";
import { RegistrationBounds, type RegistryBounds } from "./registration-bounds.ts";
import {
  leavingRefusal,
  RegistrationReports,
  type RegistrationReportsParts,
  type SubscriptionOutcome,
  type TypeOutcome,
} from "./registration-reports.ts";
import type { TermsOfType } from "./shared-terms.ts";
import { ClientSubscriptions } from "./subscriptions/client-subscriptions.ts";
import { EventRoutes } from "./subscriptions/event-routes.ts";
import { type HeldSubscription, SubscriptionBook } from "./subscriptions/subscription-book.ts";
import { SubscriptionListings } from "./subscriptions/subscription-listings.ts";
import type { TopicIndex } from "./subscriptions/topic-index.ts";
import { TypeReleases, type TypeReleasesParts } from "./type-releases.ts";

export interface RegistryParts extends Pick<ClientsParts, "pendingOf">, RegistrationReportsParts {
  readonly clock: Clock;
  /** Runs what may be long: registrations that go or come back. */
  readonly batches: BatchRunner;
  readonly orphanMs: number;
  readonly ownOnly: boolean;
  /** Whether callers have principals, each of which sees its own subscriptions alone. */
  readonly isEnforced: boolean;
  readonly allowMultipleOwners: boolean;
  readonly bounds: RegistryBounds;
  /** Others needed the space that a client's registrations take: the host forgets the client in a later turn. */
  readonly giveWay: (clientId: string, reason: string) => void;
  /** Called before a client gives way because another address needed its place. Default: nothing. */
  readonly onClientGaveWay?: ClientsParts["onGaveWay"];
  /** Default: the host has no quotas. */
  readonly quotas?: QuotaCheck | undefined;
  /** Opens an account for a list of subscriptions, which no client has to itself. `giveWay`: the list is forgotten. */
  readonly openListAccount: (giveWay: (reason: string) => void) => MemoryAccount;
}

/** The client that asks for a registration, beside its id. */
export interface Registrant {
  /** A client that is new belongs to this principal from now on. Default: it is anonymous. */
  readonly principal?: Principal | undefined;
  /** The account of the connection that asks. Default: nothing is counted for a client that is new. */
  readonly account?: MemoryAccount | undefined;
  /** The terms under which it shares the agent type. Default: it does not. */
  readonly sharing?: SharingTerms | undefined;
  // protocol.md §11.20
  /** Whether the agent type hears who calls it. Default: false. */
  readonly asksPrincipal?: boolean | undefined;
}

// protocol.md H13, H14
/** The agent types and subscriptions of every client. Nothing invalid gets in. */
export class Registry {
  /** The subscriptions for GetSubscriptions, encoded. */
  readonly listing: SubscriptionListings;
  readonly #routes: EventRoutes;
  readonly #releases: TypeReleases;
  readonly #subscriptions: ClientSubscriptions;
  readonly #clients: Clients;
  readonly #accounts: ClientAccounts;
  readonly #reports: RegistrationReports;
  readonly #bounds: RegistrationBounds;
  readonly #parts: RegistryParts;
  /** All subscriptions in the order in which they came. Some may not be live. */
  readonly held: () => Iterable<HeldSubscription>;
  /** Whether a client has ever asked who calls. Calls do not pay for the question before. */
  #hasAsking = false;

  constructor(parts: RegistryParts) {
    this.#parts = parts;
    const book = new SubscriptionBook({
      comparesClients: !parts.allowMultipleOwners,
      isShared: (agentType) => parts.owners.hasShared && parts.owners.shared(agentType) !== undefined,
      maxSubscriptions: parts.bounds.maxSubscriptions,
    });
    this.held = () => book.values();
    this.#accounts = new ClientAccounts(parts.giveWay);
    this.#reports = new RegistrationReports(parts);
    const { maxSessions: maxClients, maxSubscriptions: maxReservedEntries } = parts.bounds;
    this.#clients = new Clients({
      clock: parts.clock,
      orphanMs: parts.orphanMs,
      bounds: { maxClients, maxReservedEntries },
      pendingOf: parts.pendingOf,
      accounts: this.#accounts,
      quotas: parts.quotas,
      onGaveWay: parts.onClientGaveWay ?? (() => undefined),
      giveWay: parts.giveWay,
      onExpired: (client) => this.#expire(client),
    });
    const { owners, batches, openListAccount: openAccount } = parts;
    const work: TypeReleasesParts["work"] = (clientId, tasks) => this.#work(clientId, tasks);
    this.#routes = new EventRoutes({ owners, work, lastNumber: () => book.lastNumber });
    this.#releases = new TypeReleases({ owners, work, accounts: this.#accounts, routes: this.#routes });
    this.listing = new SubscriptionListings({ book, batches, openAccount }, parts.isEnforced);
    this.#bounds = new RegistrationBounds({
      bounds: parts.bounds,
      clients: this.#clients,
      quotas: parts.quotas,
      book,
      reports: this.#reports,
    });
    this.#subscriptions = new ClientSubscriptions({
      ...{ book, work, clients: this.#clients, accounts: this.#accounts, routes: this.#routes },
      ...{ listing: this.listing, bounds: this.#bounds, reports: this.#reports, ownOnly: parts.ownOnly },
    });
  }

  /** Finds the agent types that an event goes to. */
  get topics(): TopicIndex {
    return this.#routes.topics;
  }

  get subscriptionCount(): number {
    return this.#subscriptions.count;
  }

  /** The number of clients that may come back under their ids and find what they had registered. */
  get reservedCount(): number {
    return this.#clients.reservedCount;
  }

  /** Returns what a client has registered now. */
  declaredBy(clientId: string): { readonly types: ReadonlySet<string>; readonly subscriptionCount: number } {
    const client = this.#clients.find(clientId);
    return { types: client?.own.types ?? noTypes, subscriptionCount: client?.own.subscriptions.size ?? 0 };
  }

  /** The subscriptions that a client has now, in the order in which they came. */
  subscriptionsOf(clientId: string): Iterable<WireSubscription> {
    return this.#clients.find(clientId)?.own.subscriptions ?? [];
  }

  /** Returns the principal that a client belongs to which has registered, has a channel, or may come back; undefined: no such client. */
  ownerOf(clientId: string): { readonly principal: Principal | undefined } | undefined {
    return this.#clients.ownerOf(clientId);
  }

  // protocol.md §11.20
  /** Whether a client wants to hear who calls agents of a type. */
  asksPrincipal(clientId: string, agentType: string): boolean {
    return this.#hasAsking && this.#clients.find(clientId)?.isAsking(agentType) === true;
  }

  registerType(clientId: string, agentType: string, from: Registrant = {}): TypeOutcome {
    const outcome = this.#registerType(clientId, agentType, from);
    const { asksPrincipal = false } = from;
    this.#hasAsking ||= asksPrincipal;
    if (outcome.at === "registered" && this.#hasAsking)
      this.#clients.find(clientId)?.setAsking(agentType, asksPrincipal);
    this.#accounts.settle(clientId);
    this.#reports.typeRegistered(clientId, agentType, outcome);
    return outcome;
  }

  addSubscription(clientId: string, subscription: WireSubscription, from: Registrant = {}): SubscriptionOutcome {
    const outcome =
      this.#foreignTypeOf(clientId, subscription, from) ?? this.#subscriptions.add(clientId, subscription, from);
    this.#accounts.settle(clientId);
    this.#reports.subscriptionAdded(clientId, subscription, outcome);
    return outcome;
  }

  /** Removes every subscription with this id. `foreign`: it belongs to another client, and only own ones may be removed. */
  removeSubscription(clientId: string, id: string, principal?: Principal): "removed" | "unknown" | "foreign" {
    const outcome = this.#subscriptions.remove(clientId, id, principal);
    if (outcome === "removed") this.#reports.subscriptionRemoved(clientId, id);
    return outcome;
  }

  /** The subscriptions that a principal may see, in the order in which they came: all if callers have no principals, else its own. */
  subscriptions(principal?: Principal): readonly WireSubscription[] {
    return this.#subscriptions.all((holder) => !this.#parts.isEnforced || isSamePrincipal(holder.principal, principal));
  }

  /** Whether a worker of another principal serves the agent type. */
  isForeign(agentType: string, principal: Principal | undefined): boolean {
    if (!this.#parts.isEnforced) return false;
    const ids = this.#parts.owners.owners(agentType);
    return ids.some((id) => !isSamePrincipal(this.ownerOf(id)?.principal, principal));
  }

  /** Whether a worker of the principal serves the agent type. Callers without principals are all one. */
  isOwn(agentType: string, principal: Principal | undefined): boolean {
    return !this.#parts.isEnforced || (this.isServed(agentType) && !this.isForeign(agentType, principal));
  }

  /** Whether a client of this host serves the agent type. */
  isServed(agentType: string): boolean {
    return this.#parts.owners.owners(agentType).length > 0;
  }

  /**
   * The terms under which a worker would share a type, for the record of its cluster; undefined: the type would be exclusive. `sharing`: what the
   * worker says.
   */
  termsOf(agentType: string, { sharing, principal }: Registrant): TermsOfType | undefined {
    const terms = sharing ?? (this.#parts.owners.sharesHere(agentType) ? plainTerms : undefined);
    return terms && { terms, principal };
  }

  // protocol.md §12.8
  /**
   * Whether a worker that knows nothing of shared types would serve one beside others. In a cluster its subscriptions would make a second agent of
   * one of them.
   */
  wouldMix(clientId: string, agentType: string): boolean {
    const { types } = this.declaredBy(clientId);
    if (types.size === 0 || types.has(agentType)) return false;
    const { owners } = this.#parts;
    return owners.sharesHere(agentType) || [...types].some((type) => owners.shared(type)?.unaware.has(clientId));
  }

  /** Whether all clients that serve the agent type belong to the principal. */
  servesFor(principal: Principal | undefined, agentType: string): boolean {
    const owners = this.#parts.owners.owners(agentType);
    return owners.every((clientId) => isSamePrincipal(this.ownerOf(clientId)?.principal, principal));
  }

  /** Resolves when events go to the agent type by all its subscriptions. Undefined: they do so now. */
  routed(agentType: string): Promise<void> | undefined {
    return this.#routes.settled(agentType);
  }

  /** Resolves when a client that came back has its registrations again, or has left. Undefined: it has them now. */
  restored(clientId: string): Promise<void> | undefined {
    return this.#clients.find(clientId)?.restoring?.restored;
  }

  /** The client's channel is open: what it registered ahead stays from now on, and it gets back what it had before. */
  clientArrived(clientId: string, from: Registrant = {}): void {
    const { client, before } = this.#clients.arrive(clientId, from.principal, partyOfCall(from));
    if (before === undefined) return;
    client.restoring = before;
    this.#work(clientId, this.#restorationsOf(client, before, from.account));
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
    client.restoring?.drop();
    if (client.state.at === "serving") this.#clients.beginLeaving(client);
    const { types, subscriptions } = client.takeOwn();
    this.#releases.release(clientId, types);
    this.#subscriptions.release(clientId, subscriptions);
    this.#reports.typesGivenUp(clientId, types);
    return types;
  }

  /** Forgets a client with all that it registered or reserved, whatever state it is in. */
  forget(clientId: string): void {
    this.clientLeft(clientId, 0);
    this.#clients.dropReserved(clientId);
    this.#accounts.forget(clientId);
  }

  /** Takes an agent type from a client, with its subscriptions for the type: a worker of another host serves it. */
  loseType(clientId: string, agentType: string): void {
    this.#parts.logger?.warn("a worker loses an agent type, which a worker of another host serves", {
      agentType,
      clientId,
    });
    this.#takeAway(clientId, agentType);
  }

  /** Stops all timers. */
  close(): void {
    this.#clients.close();
  }

  // protocol.md §2.1
  /** The refusal of a subscription for an agent type that a worker of another principal serves. */
  #foreignTypeOf(clientId: string, { pattern }: WireSubscription, from: Registrant): SubscriptionOutcome | undefined {
    const agentType = pattern?.agentType ?? "";
    const { principal } = this.ownerOf(clientId) ?? from;
    if (!this.isForeign(agentType, principal)) return undefined;
    const reason = `Another principal serves the agent type ${agentType}. Subscribe for agent types of your own.`;
    return { at: "invalid", reason };
  }

  #registerType(clientId: string, agentType: string, from: Registrant): TypeOutcome {
    const reason = whyInvalidAgentType(agentType) ?? whyTooLong(agentType) ?? whyReserved("agent type", agentType);
    if (reason !== undefined) return { at: "invalid", reason };
    const { owners } = this.#parts;
    const known = this.#clients.find(clientId);
    if (known?.isLeaving) return leavingRefusal;
    if (known?.own.types.has(agentType)) return { at: "registered" };
    const tooMany = this.#bounds.whyNoMoreTypes(clientId, partyOfCall(from), from.principal);
    if (tooMany !== undefined) return tooMany;
    const account = this.#accounts.of(clientId, from.account);
    const bytes = registrationCost.type(agentType);
    const noRoom = this.#bounds.whyNoRoom(clientId, account, bytes);
    if (noRoom !== undefined) return noRoom;
    this.#releases.makeFree(agentType);
    const principal = known?.principal ?? from.principal;
    const holders = owners.owners(agentType);
    // Several workers may serve one type with allowMultipleOwners, but those of one principal alone.
    const foreign = holders.find((id) => !isSamePrincipal(this.ownerOf(id)?.principal, principal));
    if (foreign !== undefined && this.#parts.allowMultipleOwners) return { at: "taken", by: foreign };
    const isFirst = holders.length === 0;
    const claim = owners.claim(agentType, clientId, {
      sharing: from.sharing,
      principal,
    });
    if (claim.at === "held") return { at: "taken", by: claim.by };
    if (claim.differs === true) this.#reports.termsDiffer(clientId, agentType);
    if (claim.from !== undefined) this.#displace(claim.from, agentType);
    const client = known ?? this.#clients.expect(clientId, from.principal, account.party);
    client.addType(agentType);
    if (from.sharing === undefined) this.#reports.typesMayBeMixed(client, agentType);
    account.add(bytes);
    if (isFirst) this.#routes.ownersChanged(agentType, clientId);
    this.#reports.typeHasSubscriptions(agentType, this.#routes.of(agentType));
    return { at: "registered" };
  }

  // protocol.md §7
  /** Another client has taken a type from a deaf one: what that had for the type would stand in the way, and routes nothing more. */
  #displace(clientId: string, agentType: string): void {
    this.#parts.logger?.info("a .NET worker that answers no calls loses an agent type", { agentType, clientId });
    this.#takeAway(clientId, agentType);
  }

  #takeAway(clientId: string, agentType: string): void {
    const client = this.#clients.find(clientId);
    if (client === undefined) return;
    if (client.deleteType(agentType)) this.#releases.releaseNow(clientId, agentType);
    this.#subscriptions.lose(client, agentType);
  }

  #expire(client: Client): void {
    this.#reports.expired(client.clientId);
    this.#remove(client, 0);
  }

  #remove(client: Client, graceMs: number): void {
    const { clientId, own } = client;
    this.#clients.leave(client, graceMs);
    this.#releases.release(clientId, own.types);
    this.#subscriptions.release(clientId, own.subscriptions);
  }

  /** Does what may be long, in turns with that of other addresses. */
  #work(clientId: string, tasks: Iterable<() => void>): void {
    this.#parts.batches.add(clientId, tasks, this.#accounts.partyOf(clientId));
  }

  *#restorationsOf(
    client: Client,
    before: KeptRegistrations,
    account: MemoryAccount | undefined,
  ): Iterable<() => void> {
    // The client may leave again; then the rest is kept with what it had.
    while (!client.isGone && !before.isEmpty) yield () => this.#restore(client, before.next(), account);
    if (client.isGone) return;
    before.drop();
    client.restoring = undefined;
    if (!client.isSweeping) client.forgetLosses();
    this.#accounts.settle(client.clientId);
  }

  #restore(client: Client, entry: string | HeldSubscription | undefined, account: MemoryAccount | undefined): void {
    const { clientId, principal } = client;
    const from: Registrant = { principal, account };
    // protocol.md §2.1: what others have claimed meanwhile stays theirs.
    if (typeof entry === "string") this.registerType(clientId, entry, from);
    else if (entry !== undefined && !client.hasLost(entry)) {
      this.addSubscription(clientId, { id: entry.id, pattern: entry.pattern }, from);
    }
  }
}

const noTypes: ReadonlySet<string> = new Set();
const plainTerms: SharingTerms = { placement: undefined, requires: {} };
