import {
  type Agent,
  type AgentFactory,
  type AgentId,
  assertAgentType,
  type RegisterAgentInstanceOptions,
  type RegisterFactoryOptions,
  type Subscription,
  TroupeError,
  TypePrefixSubscription,
  TypeSubscription,
} from "../../core/internal.ts";
import type { WirePattern, WireSubscription } from "../../protocol/internal.ts";
import type { WorkerParts } from "../worker-parts.ts";
import type { HostRegistry } from "./host-registry.ts";

/**
 * What this worker serves, here and at its host. The catalog's types and the table's subscriptions are the record: it is
 * replayed to each new host. Local first, then the host; what the host refuses is taken back here (W16, W17).
 */
export class Registration {
  readonly #parts: WorkerParts;
  /** The host's registry as it is reached now; undefined before the start, when things are only recorded. Rejects when there is none. */
  readonly #host: () => Promise<HostRegistry | undefined>;
  /** Types of instances that the host was told of, or is being told: all instances of one share its outcome. */
  readonly #told = new Map<string, Promise<void>>();

  constructor(parts: WorkerParts, host: () => Promise<HostRegistry | undefined>) {
    this.#parts = parts;
    this.#host = host;
  }

  /** When the host refuses the type or a subscription, all is taken back. */
  async addFactory<T extends Agent>(type: string, factory: AgentFactory<T>, options: RegisterFactoryOptions<T> = {}) {
    assertAgentType(type);
    const host = await this.#host();
    this.#parts.catalog.addFactory(type, factory, options);
    try {
      await host?.registerType(type);
      await this.#addAll(options.subscriptions, "refuse");
    } catch (error) {
      this.#parts.catalog.removeFactory(type);
      throw error;
    }
  }

  /** The host learns of a type with its first instance; more of them are none of its business (W18), but wait for what it says. */
  async addInstance(agent: Agent, id: AgentId, options: RegisterAgentInstanceOptions = {}): Promise<void> {
    const { catalog } = this.#parts;
    const host = await this.#host();
    // A stop has taken the type off the catalog: it is news again.
    if (!catalog.hasType(id.type)) this.#told.delete(id.type);
    await catalog.addInstance(agent, id);
    const told = this.#told.get(id.type) ?? host?.registerType(id.type) ?? Promise.resolve();
    this.#told.set(id.type, told);
    try {
      await told;
    } catch (error) {
      catalog.removeInstance(id);
      if (this.#told.get(id.type) === told) this.#told.delete(id.type);
      throw error;
    }
    try {
      await this.#addAll(options.subscriptions, "keep");
    } catch (error) {
      catalog.removeInstance(id);
      throw error;
    }
  }

  /** Adds all of them or none. One that is there already is an error, or kept as it is. */
  async #addAll(subscriptions: readonly Subscription[] = [], existing: "refuse" | "keep"): Promise<void> {
    const added: string[] = [];
    try {
      for (const subscription of subscriptions) {
        if (existing === "keep" && this.#parts.subscriptions.hasEqual(subscription)) continue;
        await this.addSubscription(subscription);
        added.push(subscription.id);
      }
    } catch (error) {
      await Promise.allSettled(added.map((id) => this.removeSubscription(id)));
      throw error;
    }
  }

  async addSubscription(subscription: Subscription): Promise<void> {
    const wire = toWireSubscription(subscription);
    const host = await this.#host();
    this.#parts.subscriptions.add(subscription);
    try {
      await host?.addSubscription(wire);
    } catch (error) {
      this.#parts.subscriptions.remove(subscription.id);
      throw error;
    }
  }

  async removeSubscription(id: string): Promise<void> {
    const { subscriptions } = this.#parts;
    const subscription = subscriptions.withId(id);
    if (subscription === undefined) throw new TroupeError("not-found", "Subscription does not exist");
    const host = await this.#host();
    await host?.removeSubscription(toWireSubscription(subscription));
    if (subscriptions.has(id)) subscriptions.remove(id);
  }

  /** Announces everything to a host that knows nothing of it yet: types, then subscriptions. Rejects with the first refusal. */
  async replay(host: HostRegistry): Promise<void> {
    const { catalog, subscriptions } = this.#parts;
    await all(catalog.types().map((type) => host.registerType(type)));
    await all(subscriptions.subscriptions().map((known) => host.addSubscription(toWireSubscription(known))));
  }
}

/** Waits for all of them, so that none goes on behind the back of a failed start. */
async function all(calls: readonly Promise<void>[]): Promise<void> {
  for (const end of await Promise.allSettled(calls)) if (end.status === "rejected") throw end.reason;
}

/** Throws `invalid-argument` for a kind of subscription that can't travel. */
function toWireSubscription(subscription: Subscription): WireSubscription {
  return { id: subscription.id, pattern: toPattern(subscription) };
}

function toPattern(subscription: Subscription): WirePattern {
  if (subscription instanceof TypeSubscription) {
    return { kind: "type", topicType: subscription.topicType, agentType: subscription.agentType };
  }
  if (subscription instanceof TypePrefixSubscription) {
    return { kind: "prefix", topicTypePrefix: subscription.topicTypePrefix, agentType: subscription.agentType };
  }
  throw new TroupeError(
    "invalid-argument",
    "Only TypeSubscription and TypePrefixSubscription can be told to a host; this subscription is of another kind.",
  );
}
