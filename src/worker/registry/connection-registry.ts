import type { Logger } from "../../core/internal.ts";
import type { WireSubscription } from "../../protocol/internal.ts";
import type { HostRegistry } from "./host-registry.ts";
import { isNotImplemented } from "./refusal.ts";

/** The registry of one connection. It uses unary calls until the host answers that it has none, and then the data channel. */
export class ConnectionRegistry implements HostRegistry {
  readonly #legacy: HostRegistry;
  readonly #logger: Logger;
  /** Types that the host has taken: it can't be told to forget one, so a second registration is not sent. */
  readonly #types = new Set<string>();
  #current: HostRegistry;

  constructor(options: { unary: HostRegistry; legacy: HostRegistry; logger: Logger }) {
    this.#current = options.unary;
    this.#legacy = options.legacy;
    this.#logger = options.logger;
  }

  async registerType(agentType: string, signal?: AbortSignal): Promise<void> {
    if (this.#types.has(agentType)) return;
    await this.#falling((registry) => registry.registerType(agentType, signal));
    this.#types.add(agentType);
  }

  addSubscription(subscription: WireSubscription, signal?: AbortSignal): Promise<void> {
    return this.#falling((registry) => registry.addSubscription(subscription, signal));
  }

  removeSubscription(subscription: WireSubscription, signal?: AbortSignal): Promise<void> {
    return this.#current.removeSubscription(subscription, signal);
  }

  subscriptions(signal?: AbortSignal): Promise<readonly WireSubscription[] | undefined> {
    return this.#current.subscriptions(signal);
  }

  async #falling(call: (registry: HostRegistry) => Promise<void>): Promise<void> {
    try {
      await call(this.#current);
    } catch (error) {
      if (!isNotImplemented(error)) throw error;
      if (this.#current !== this.#legacy) {
        this.#current = this.#legacy;
        this.#logger.info("The host has no unary registration (generation 1): registering in the data channel.");
      }
      await call(this.#legacy);
    }
  }
}
