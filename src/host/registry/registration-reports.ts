import type { Logger } from "../../core/internal.ts";
import type { WireSubscription } from "../../protocol/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import { firstListed, limits } from "../limits.ts";
import type { Observers } from "../observer.ts";
import type { Client } from "./client.ts";
import { keptText } from "./name-checks.ts";
import type { HeldSubscription } from "./subscriptions/subscription-book.ts";
import type { TypeOwners } from "./type-owners.ts";

export type TypeOutcome = { readonly at: "registered" } | { readonly at: "taken"; readonly by: string } | Refusal;

export type SubscriptionOutcome = { readonly at: "added" } | { readonly at: "exists" } | Refusal;

/** `full`: a bound of the host's options is reached. */
export type Refusal = { readonly at: "invalid" | "full"; readonly reason: string };

/** A registration may overtake the notice that its worker stops, or come after it. */
export const leavingRefusal: Refusal = {
  at: "invalid",
  reason: "The worker has said that it stops, and can register nothing more.",
};

export interface RegistrationReportsParts {
  readonly owners: TypeOwners;
  readonly counters: MutableHostCounters;
  readonly logger: Logger | undefined;
  readonly observers: Observers;
}

/** Tells the observer, the counters and the log what becomes of registrations. */
export class RegistrationReports {
  readonly #parts: RegistrationReportsParts;

  constructor(parts: RegistrationReportsParts) {
    this.#parts = parts;
  }

  typeRegistered(clientId: string, agentType: string, outcome: TypeOutcome): void {
    const { now: observer } = this.#parts.observers;
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
  }

  subscriptionAdded(
    clientId: string,
    { id: subscriptionId, pattern }: WireSubscription,
    outcome: SubscriptionOutcome,
  ): void {
    const { now: observer } = this.#parts.observers;
    if (observer === undefined) return;
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
  }

  subscriptionRemoved(clientId: string, subscriptionId: string): void {
    const what = "unsubscribed";
    this.#parts.observers.now?.({ at: "registration", what, clientId, agentType: undefined, subscriptionId });
  }

  typesGivenUp(clientId: string, types: ReadonlySet<string>): void {
    const { now: observer } = this.#parts.observers;
    if (observer === undefined || types.size === 0) return;
    const listed = firstListed(types);
    observer({ at: "registration", what: "given-up", clientId, types: listed, typeCount: types.size });
  }

  /** The host has forgotten a client that never opened its channel. */
  expired(clientId: string): void {
    const { counters, logger, observers } = this.#parts;
    counters.expiredClients += 1;
    logger?.warn("a client registered but never opened its channel; its registrations are forgotten", { clientId });
    observers.now?.({ at: "registration", what: "expired", clientId });
  }

  limited(clientId: string, detail: string): void {
    const { counters, observers } = this.#parts;
    counters.refusedByLimit += 1;
    observers.now?.({ at: "limited", what: "registrations", clientId, detail });
  }

  subscriptionEntered({ pattern, holder }: HeldSubscription): void {
    this.#warnIfUseless(pattern.agentType, holder.clientId);
  }

  /** A worker shares a type under other terms than the first worker of the type, whose terms count. */
  termsDiffer(clientId: string, agentType: string): void {
    const text = "a worker shares an agent type under other terms than the first worker of the type, whose terms count";
    this.#parts.logger?.warn(text, { agentType, clientId });
  }

  // protocol.md §11.14
  /**
   * Warns of a client that knows nothing of shared types, and serves such types beside exclusive ones. It makes agents of its shared
   * types for each event that comes for its exclusive ones, wherever these agents are. `agentType`: the one that came last.
   */
  typesMayBeMixed(client: Client, agentType: string): void {
    const { owners, logger } = this.#parts;
    if (owners.shared(agentType) === undefined) client.lastExclusive = agentType;
    else client.lastUnaware = agentType;
    const { clientId, own, lastExclusive, lastUnaware, isWarnedOfMix } = client;
    if (isWarnedOfMix || lastExclusive === undefined || lastUnaware === undefined) return;
    // The client may have lost one of them since.
    if (!own.types.has(lastExclusive) || !own.types.has(lastUnaware)) return;
    client.isWarnedOfMix = true;
    const shared = [...own.types].filter((type) => owners.shared(type)?.unaware.has(clientId) === true);
    const text =
      "a worker that knows nothing of shared types serves such types beside exclusive ones: an event for both may make a second agent there. Run two workers";
    logger?.warn(text, { clientId, shared: firstListed(shared) });
  }

  /** Warns of the first subscriptions that others have for a type which is served from now on. The log would leave out the rest. */
  typeHasSubscriptions(agentType: string, subscriptions: Iterable<HeldSubscription>): void {
    if (this.#parts.logger === undefined) return;
    const holders = new Set<string>();
    let count = 0;
    for (const { holder, isLive } of subscriptions) {
      if (isLive) holders.add(holder.clientId);
      count += 1;
      if (count === limits.logLines) break;
    }
    for (const clientId of holders) this.#warnIfUseless(agentType, clientId);
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
