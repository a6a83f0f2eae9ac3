import type { Clock, Logger, Timer } from "../core/index.ts";
import type { WireSubscription } from "../protocol/index.ts";
import { whyInvalidAgentType } from "./agent-type-check.ts";
import type { Tally } from "./counters.ts";
import type { Directory } from "./directory.ts";
import { EventRouting } from "./event-routing.ts";
import { type HeldSubscription, SubscriptionBook } from "./subscription-book.ts";

/**
 * Where a client is. `expected`: it has registered ahead of its channel and is forgotten if that never comes. A client that
 * may come back under its id (`reconnectGraceMs`, protocol.md §2.1) would be `dormant` here, its types open to others.
 */
type Presence = { readonly at: "expected"; readonly timer: Timer } | { readonly at: "serving" };

interface ClientRecord {
  presence: Presence;
  readonly types: Set<string>;
  readonly subscriptions: Set<HeldSubscription>;
}

export type TypeOutcome =
  | { readonly at: "registered" }
  | { readonly at: "taken"; readonly by: string }
  | { readonly at: "invalid"; readonly reason: string };

export type SubscriptionOutcome =
  | { readonly at: "added" }
  | { readonly at: "exists" }
  | { readonly at: "invalid"; readonly reason: string };

export interface RegistryParts {
  readonly directory: Directory;
  readonly tally: Tally;
  readonly clock: Clock;
  readonly logger: Logger | undefined;
  readonly orphanMs: number;
  readonly ownOnly: boolean;
  readonly allowMultipleOwners: boolean;
}

/** What every client has declared: the agent types it serves and its subscriptions. Nothing invalid gets in (protocol.md H13, H14). */
export class Registry {
  /** Which agent types an event goes to. */
  readonly routing = new EventRouting();
  readonly #book: SubscriptionBook;
  readonly #clients = new Map<string, ClientRecord>();
  readonly #parts: RegistryParts;

  constructor(parts: RegistryParts) {
    this.#parts = parts;
    this.#book = new SubscriptionBook({ comparesClients: !parts.allowMultipleOwners });
  }

  get subscriptionCount(): number {
    return this.#book.size;
  }

  registerType(clientId: string, agentType: string): TypeOutcome {
    const reason = whyInvalidAgentType(agentType);
    if (reason !== undefined) return { at: "invalid", reason };
    const claim = this.#parts.directory.claim(agentType, clientId);
    if (claim.at === "held") return { at: "taken", by: claim.by };
    this.#recordOf(clientId).types.add(agentType);
    return { at: "registered" };
  }

  addSubscription(clientId: string, { id, pattern }: WireSubscription): SubscriptionOutcome {
    if (pattern === undefined) return { at: "invalid", reason: "Invalid subscription message." };
    const reason = whyInvalidAgentType(pattern.agentType);
    if (reason !== undefined) return { at: "invalid", reason };
    const held: HeldSubscription = { id, pattern, clientId };
    switch (this.#book.add(held)) {
      case "exists":
        return { at: "exists" };
      case "known":
        return { at: "added" };
      case "added":
        this.routing.add(pattern);
        this.#recordOf(clientId).subscriptions.add(held);
        this.#warnIfUseless(held);
        return { at: "added" };
    }
  }

  /** Removes every subscription with this id. `foreign`: it belongs to another client, and only own ones may be removed. */
  removeSubscription(clientId: string, id: string): "removed" | "unknown" | "foreign" {
    const held = this.#book.withId(id);
    if (held.length === 0) return "unknown";
    const own = held.filter((subscription) => subscription.clientId === clientId);
    if (own.length === 0 && this.#parts.ownOnly) return "foreign";
    for (const subscription of own.length > 0 ? own : held) {
      this.#remove(subscription);
      this.#clients.get(subscription.clientId)?.subscriptions.delete(subscription);
    }
    return "removed";
  }

  subscriptions(): readonly WireSubscription[] {
    return [...this.#book.all()].map(({ id, pattern }) => ({ id, pattern }));
  }

  /** The client's channel is open: what it has registered ahead stays from now on. */
  clientArrived(clientId: string): void {
    const record = this.#clients.get(clientId);
    if (record?.presence.at === "expected") record.presence.timer.cancel();
    if (record === undefined) this.#clients.set(clientId, createRecord({ at: "serving" }));
    else record.presence = { at: "serving" };
  }

  /** The client is gone, and all that it has declared with it. */
  clientLeft(clientId: string): void {
    const record = this.#clients.get(clientId);
    if (record === undefined) return;
    this.#clients.delete(clientId);
    if (record.presence.at === "expected") record.presence.timer.cancel();
    for (const agentType of record.types) this.#parts.directory.release(agentType, clientId);
    for (const subscription of record.subscriptions) this.#remove(subscription);
  }

  /** Stops all timers. */
  close(): void {
    for (const { presence } of this.#clients.values()) if (presence.at === "expected") presence.timer.cancel();
  }

  #recordOf(clientId: string): ClientRecord {
    const known = this.#clients.get(clientId);
    if (known !== undefined) return known;
    const { clock, orphanMs, tally, logger } = this.#parts;
    const timer = clock.setTimer(orphanMs, () => {
      tally.expiredClients += 1;
      logger?.warn("a client registered but never opened its channel; its registrations are forgotten", { clientId });
      this.clientLeft(clientId);
    });
    const record = createRecord({ at: "expected", timer });
    this.#clients.set(clientId, record);
    return record;
  }

  #remove(subscription: HeldSubscription): void {
    this.#book.remove(subscription);
    this.routing.remove(subscription.pattern);
  }

  /** A worker matches events against its own subscriptions only (protocol.md §0, H17). */
  #warnIfUseless({ pattern: { agentType }, clientId }: HeldSubscription): void {
    const owners = this.#parts.directory.owners(agentType);
    if (owners.length === 0 || owners.includes(clientId)) return;
    this.#parts.logger?.warn("a subscription for an agent type of another worker has no effect there", {
      agentType,
      clientId,
    });
  }
}

function createRecord(presence: Presence): ClientRecord {
  return { presence, types: new Set(), subscriptions: new Set() };
}
