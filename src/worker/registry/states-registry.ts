import { NotAccessibleError } from "../../core/internal.ts";
import type { WireSubscription } from "../../protocol/internal.ts";
import type { HostRegistry } from "./host-registry.ts";

export interface StatesRegistryOptions {
  readonly registry: HostRegistry;
  /** Whether the agents of a type keep a state at the host. */
  readonly isKeptAtHost: (agentType: string) => boolean;
  /** Resolves to whether the host keeps states, once it has said so or seems to say nothing. */
  readonly keepsStates: () => Promise<boolean>;
  /** The same for messages. */
  readonly keepsMail: () => Promise<boolean>;
}

// protocol.md §11.15
/** Registers nothing that its host would have to keep and does not: types of agents with a state, and durable subscriptions. */
export class StatesRegistry implements HostRegistry {
  readonly #options: StatesRegistryOptions;

  constructor(options: StatesRegistryOptions) {
    this.#options = options;
  }

  async registerType(agentType: string, signal?: AbortSignal): Promise<void> {
    const { registry, isKeptAtHost, keepsStates } = this.#options;
    if (isKeptAtHost(agentType) && !(await keepsStates())) {
      const text = `The agents of type ${agentType} keep a state, and this host keeps no states.`;
      throw new NotAccessibleError(`${text} Give the worker a stateStore.`);
    }
    return registry.registerType(agentType, signal);
  }

  // protocol.md §11.18
  async addSubscription(subscription: WireSubscription, signal?: AbortSignal): Promise<void> {
    if (subscription.isDurable === true && !(await this.#options.keepsMail())) {
      const text = `The subscription of agent type ${subscription.pattern?.agentType} is durable, and this host keeps no messages.`;
      throw new NotAccessibleError(
        `${text} Use a Troupe host with a MemoryStateStore, openSqliteStore, or openPostgresStore with one writer.`,
      );
    }
    return this.#options.registry.addSubscription(subscription, signal);
  }

  removeSubscription(subscription: WireSubscription, signal?: AbortSignal): Promise<void> {
    return this.#options.registry.removeSubscription(subscription, signal);
  }

  subscriptions(signal?: AbortSignal): Promise<readonly WireSubscription[] | undefined> {
    return this.#options.registry.subscriptions(signal);
  }
}
