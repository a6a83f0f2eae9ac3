import {
  type Agent,
  type AgentCatalog,
  type AgentFactory,
  type AgentId,
  assertAgentType,
  assertNotAborted,
  type RegisterAgentInstanceOptions,
  type RegisterFactoryOptions,
  type Subscription,
  type SubscriptionTable,
  TroupeError,
  TypePrefixSubscription,
  TypeSubscription,
  type WaitOptions,
} from "../../core/internal.ts";
import type { WirePattern, WireSubscription } from "../../protocol/internal.ts";
import type { HostRegistry } from "./host-registry.ts";

export interface RegistrationOptions {
  readonly catalog: AgentCatalog;
  readonly subscriptions: SubscriptionTable;
  /** Resolves to the host's registry; to undefined before the start, when things are only recorded. Rejects when there is none. */
  readonly host: () => Promise<HostRegistry | undefined>;
}

/**
 * Registers agents and subscriptions here and at the host. The catalog's types and the table's subscriptions are the record,
 * which is replayed to each new host. A registration is made here first, then at the host; what the host refuses is undone here.
 */
// protocol.md W16, W17
export class Registration {
  readonly #catalog: AgentCatalog;
  readonly #subscriptions: SubscriptionTable;
  readonly #host: () => Promise<HostRegistry | undefined>;
  /** Registrations at the host for types of instances: all instances of a type share the outcome. */
  readonly #told = new Map<string, Promise<void>>();

  constructor({ catalog, subscriptions, host }: RegistrationOptions) {
    this.#catalog = catalog;
    this.#subscriptions = subscriptions;
    this.#host = host;
  }

  /** Whether there is nothing to tell a host. */
  get isEmpty(): boolean {
    return this.#catalog.types().length === 0 && this.#subscriptions.subscriptions().length === 0;
  }

  /** When the host refuses the type or a subscription, all is taken back. */
  async addFactory<T extends Agent>(type: string, factory: AgentFactory<T>, options: RegisterFactoryOptions<T> = {}) {
    assertAgentType(type);
    const host = await this.#host();
    assertNotAborted(options, `The registration of agent type ${type}`);
    this.#catalog.addFactory(type, factory, options);
    try {
      await host?.registerType(type);
      await this.#addAll(options.subscriptions, "refuse");
    } catch (error) {
      this.#catalog.removeFactory(type);
      throw error;
    }
  }

  /** Registers the type at the host with its first instance. Further instances wait for what the host says to the first. */
  async addInstance(agent: Agent, id: AgentId, options: RegisterAgentInstanceOptions = {}): Promise<void> {
    const catalog = this.#catalog;
    const host = await this.#host();
    assertNotAborted(options, `The registration of ${id}`);
    // A stop has taken the type off the catalog: it is registered anew.
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
        if (existing === "keep" && this.#subscriptions.hasEqual(subscription)) continue;
        await this.addSubscription(subscription);
        added.push(subscription.id);
      }
    } catch (error) {
      await Promise.allSettled(added.map((id) => this.removeSubscription(id)));
      throw error;
    }
  }

  async addSubscription(subscription: Subscription, options: WaitOptions = {}): Promise<void> {
    const wire = toWireSubscription(subscription);
    const host = await this.#host();
    assertNotAborted(options, "Adding the subscription");
    this.#subscriptions.add(subscription);
    try {
      await host?.addSubscription(wire);
    } catch (error) {
      this.#subscriptions.remove(subscription.id);
      throw error;
    }
  }

  async removeSubscription(id: string, options: WaitOptions = {}): Promise<void> {
    const subscriptions = this.#subscriptions;
    const subscription = subscriptions.withId(id);
    if (subscription === undefined) throw new TroupeError("not-found", "Subscription does not exist");
    const host = await this.#host();
    assertNotAborted(options, "Removing the subscription");
    await host?.removeSubscription(toWireSubscription(subscription));
    if (subscriptions.has(id)) subscriptions.remove(id);
  }

  /** Announces everything to a host that knows nothing of it yet: types, then subscriptions. Rejects with the first refusal. */
  async replay(host: HostRegistry): Promise<void> {
    await all(this.#catalog.types().map((type) => host.registerType(type)));
    await all(this.#subscriptions.subscriptions().map((known) => host.addSubscription(toWireSubscription(known))));
  }
}

/** Waits for all calls, so that none still runs after a failed start. */
async function all(calls: readonly Promise<void>[]): Promise<void> {
  for (const end of await Promise.allSettled(calls)) if (end.status === "rejected") throw end.reason;
}

/** Encodes a subscription. Throws `invalid-argument` for a kind that the protocol does not have. */
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
