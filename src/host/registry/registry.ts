import type { Clock, Logger, Timer } from "../../core/internal.ts";
import type { WirePattern, WireSubscription } from "../../protocol/internal.ts";
import { BatchRunner } from "../batch-runner.ts";
import type { MutableHostCounters } from "../counters.ts";
import { limits } from "../limits.ts";
import { whyInvalidAgentType } from "./agent-type-check.ts";
import type { SubscriptionHolder } from "./holder-tally.ts";
import { type Declared, ReconnectReservations } from "./reconnect-reservations.ts";
import { type HeldSubscription, SubscriptionBook } from "./subscription-book.ts";
import { TopicIndex } from "./topic-index.ts";
import type { Directory } from "./type-owners.ts";

/** Where a client is. `expected`: it has registered ahead of its channel and is forgotten if that never comes. */
type Presence = { readonly at: "expected"; readonly timer: Timer } | { readonly at: "serving" };

interface ClientRecord extends SubscriptionHolder {
  presence: Presence;
  readonly types: Set<string>;
  readonly subscriptions: Set<HeldSubscription>;
  /** Those that the client had before it left, and that have not been entered again yet. */
  reviving: Set<WireSubscription>;
}

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

export interface RegistryParts {
  readonly directory: Directory;
  readonly tally: MutableHostCounters;
  readonly clock: Clock;
  readonly logger: Logger | undefined;
  readonly orphanMs: number;
  readonly ownOnly: boolean;
  readonly allowMultipleOwners: boolean;
  readonly bounds: RegistryBounds;
}

/** What every client has declared: the agent types it serves and its subscriptions. Nothing invalid gets in (protocol.md H13, H14). */
export class Registry {
  /** Which agent types an event goes to. */
  readonly routing = new TopicIndex();
  readonly #book: SubscriptionBook;
  readonly #clients = new Map<string, ClientRecord>();
  readonly #dormant: ReconnectReservations;
  readonly #sweeps: BatchRunner;
  readonly #revivals: BatchRunner;
  readonly #parts: RegistryParts;
  #subscriptionCount = 0;

  constructor(parts: RegistryParts) {
    this.#parts = parts;
    this.#book = new SubscriptionBook({ comparesClients: !parts.allowMultipleOwners });
    const { maxSessions: maxClients, maxSubscriptions: maxEntries } = parts.bounds;
    this.#dormant = new ReconnectReservations(parts.clock, { maxClients, maxEntries });
    this.#sweeps = new BatchRunner(parts.clock);
    this.#revivals = new BatchRunner(parts.clock);
  }

  get subscriptionCount(): number {
    return this.#subscriptionCount;
  }

  /** Clients that may come back under their ids. */
  get dormantCount(): number {
    return this.#dormant.size;
  }

  registerType(clientId: string, agentType: string): TypeOutcome {
    const reason = whyInvalidAgentType(agentType) ?? whyTooLong(agentType);
    if (reason !== undefined) return { at: "invalid", reason };
    const { directory, bounds } = this.#parts;
    const known = this.#clients.get(clientId);
    if (known?.types.has(agentType)) return { at: "registered" };
    if (known !== undefined && known.types.size >= bounds.maxTypesPerClient) {
      return this.#full(`This host takes ${bounds.maxTypesPerClient} agent types of one client.`);
    }
    if (known === undefined && this.#isFull()) return this.#tooManyClients();
    const claim = directory.claim(agentType, clientId);
    if (claim.at === "held") return { at: "taken", by: claim.by };
    (known ?? this.#expect(clientId)).types.add(agentType);
    for (const holder of this.#book.holdersOf(agentType)) this.#warnIfUseless(agentType, holder.clientId);
    return { at: "registered" };
  }

  addSubscription(clientId: string, { id, pattern }: WireSubscription): SubscriptionOutcome {
    if (pattern === undefined) return { at: "invalid", reason: "Invalid subscription message." };
    const reason = whyInvalidAgentType(pattern.agentType) ?? whyTooLong(pattern.agentType, id, topicOf(pattern));
    if (reason !== undefined) return { at: "invalid", reason };
    switch (this.#book.find(clientId, { id, pattern })) {
      case "exists":
        return { at: "exists" };
      case "known":
        return { at: "added" };
      case undefined:
        return this.#whyFull(clientId) ?? this.#add(this.#clients.get(clientId) ?? this.#expect(clientId), id, pattern);
    }
  }

  /** Removes every subscription with this id. `foreign`: it belongs to another client, and only own ones may be removed. */
  removeSubscription(clientId: string, id: string): "removed" | "unknown" | "foreign" {
    const held = this.#book.withId(id);
    if (held.length === 0) return this.#giveUpReviving(clientId, id) ? "removed" : "unknown";
    const own = held.filter(({ holder }) => holder.clientId === clientId);
    if (own.length === 0 && this.#parts.ownOnly) return "foreign";
    for (const subscription of own.length > 0 ? own : held) {
      this.#subscriptionCount -= 1;
      this.#remove(subscription);
      this.#clients.get(subscription.holder.clientId)?.subscriptions.delete(subscription);
    }
    return "removed";
  }

  subscriptions(): readonly WireSubscription[] {
    return this.#book.all().map(({ id, pattern }) => ({ id, pattern }));
  }

  /** The client's channel is open: what it has registered ahead stays from now on, and what it had before is its own again. */
  clientArrived(clientId: string): void {
    const record = this.#clients.get(clientId);
    if (record?.presence.at === "expected") record.presence.timer.cancel();
    const serving = record ?? createRecord(clientId, { at: "serving" });
    serving.presence = { at: "serving" };
    this.#clients.set(clientId, serving);
    const before = this.#dormant.wake(clientId);
    if (before !== undefined) this.#revive(serving, before);
  }

  /** The client is gone, and all that it has declared with it; if it comes back within the grace, so does that. */
  clientLeft(clientId: string, graceMs: number): void {
    const record = this.#clients.get(clientId);
    if (record === undefined) return;
    this.#clients.delete(clientId);
    if (record.presence.at === "expected") record.presence.timer.cancel();
    for (const agentType of record.types) this.#parts.directory.release(agentType, clientId);
    const { subscriptions } = record;
    if (graceMs > 0) this.#dormant.keep(clientId, declaredBy(record), graceMs);
    record.isGone = true;
    this.#subscriptionCount -= subscriptions.size;
    this.#sweeps.add(this.#removals(subscriptions));
  }

  /** Stops all timers. */
  close(): void {
    for (const { presence } of this.#clients.values()) if (presence.at === "expected") presence.timer.cancel();
    this.#dormant.clear();
    this.#revivals.finish();
    this.#sweeps.finish();
  }

  #add(holder: ClientRecord, id: string, pattern: WirePattern): SubscriptionOutcome {
    const held: HeldSubscription = { id, pattern, holder };
    this.#book.add(held);
    this.routing.add(pattern);
    holder.subscriptions.add(held);
    this.#subscriptionCount += 1;
    this.#warnIfUseless(pattern.agentType, holder.clientId);
    return { at: "added" };
  }

  /** A new client that has not opened its channel yet. */
  #expect(clientId: string): ClientRecord {
    const { clock, orphanMs, tally, logger } = this.#parts;
    const timer = clock.setTimer(orphanMs, () => {
      tally.expiredClients += 1;
      logger?.warn("a client registered but never opened its channel; its registrations are forgotten", { clientId });
      this.clientLeft(clientId, 0);
    });
    const record = createRecord(clientId, { at: "expected", timer });
    this.#clients.set(clientId, record);
    return record;
  }

  /** Whatever others have claimed meanwhile stays theirs (protocol.md §2.1). */
  #revive(record: ClientRecord, { types, subscriptions }: Declared): void {
    for (const agentType of types) this.registerType(record.clientId, agentType);
    record.reviving = new Set(subscriptions);
    this.#revivals.add(this.#revivalsOf(record));
  }

  *#revivalsOf(record: ClientRecord): Iterable<() => void> {
    const { reviving } = record;
    for (const subscription of reviving) {
      // It may have left again meanwhile, and what was not its own yet is kept with the rest.
      if (record.isGone) return;
      yield () => {
        reviving.delete(subscription);
        this.addSubscription(record.clientId, subscription);
      };
    }
  }

  #giveUpReviving(clientId: string, id: string): boolean {
    const reviving = this.#clients.get(clientId)?.reviving;
    for (const subscription of reviving ?? [])
      if (subscription.id === id) return reviving?.delete(subscription) === true;
    return false;
  }

  *#removals(subscriptions: Iterable<HeldSubscription>): Iterable<() => void> {
    for (const subscription of subscriptions) yield () => this.#remove(subscription);
  }

  #remove(subscription: HeldSubscription): void {
    this.#book.remove(subscription);
    this.routing.remove(subscription.pattern);
  }

  /** Why one more subscription of this client can't be kept. */
  #whyFull(clientId: string): Refusal | undefined {
    const { maxSubscriptions, maxSubscriptionsPerClient } = this.#parts.bounds;
    const record = this.#clients.get(clientId);
    if (record === undefined && this.#isFull()) return this.#tooManyClients();
    if (record !== undefined && record.subscriptions.size >= maxSubscriptionsPerClient) {
      return this.#full(`This host takes ${maxSubscriptionsPerClient} subscriptions of one client.`);
    }
    const isTooMany = this.#book.size >= maxSubscriptions;
    return isTooMany ? this.#full(`This host takes ${maxSubscriptions} subscriptions.`) : undefined;
  }

  #isFull(): boolean {
    return this.#clients.size >= this.#parts.bounds.maxSessions;
  }

  #tooManyClients(): Refusal {
    return this.#full(`This host takes ${this.#parts.bounds.maxSessions} clients.`);
  }

  #full(reason: string): Refusal {
    this.#parts.tally.refusedByLimit += 1;
    return { at: "full", reason };
  }

  /** A worker matches events against its own subscriptions only (protocol.md §0, H17). */
  #warnIfUseless(agentType: string, clientId: string): void {
    const owners = this.#parts.directory.owners(agentType);
    if (owners.length === 0 || owners.includes(clientId)) return;
    this.#parts.logger?.warn("a subscription for an agent type of another worker has no effect there", {
      agentType,
      clientId,
    });
  }
}

function createRecord(clientId: string, presence: Presence): ClientRecord {
  return { clientId, isGone: false, presence, types: new Set(), subscriptions: new Set(), reviving: new Set() };
}

function declaredBy({ types, subscriptions, reviving }: ClientRecord): Declared {
  const entered = [...subscriptions].map(({ id, pattern }) => ({ id, pattern }));
  return { types: [...types], subscriptions: [...entered, ...reviving] };
}

function topicOf(pattern: WirePattern): string {
  return pattern.kind === "type" ? pattern.topicType : pattern.topicTypePrefix;
}

function whyTooLong(...names: readonly string[]): string | undefined {
  const longest = Math.max(...names.map((name) => name.length));
  if (longest <= limits.nameChars) return undefined;
  return `A name of ${longest} characters is too long: this host keeps up to ${limits.nameChars}.`;
}
