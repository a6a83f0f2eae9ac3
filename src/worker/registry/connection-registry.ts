import type { Logger } from "../../core/internal.ts";
import type { WireSubscription } from "../../protocol/internal.ts";
import type { HostRegistry } from "./host-registry.ts";
import { isNotImplemented } from "./refusal.ts";

/** The registry of one connection. It uses unary calls until the host answers that it has none, and then the data channel. */
export class ConnectionRegistry implements HostRegistry {
  readonly #legacy: HostRegistry;
  readonly #logger: Logger;
  #current: HostRegistry;

  constructor(options: { unary: HostRegistry; legacy: HostRegistry; logger: Logger }) {
    this.#current = options.unary;
    this.#legacy = options.legacy;
    this.#logger = options.logger;
  }

  registerType(agentType: string): Promise<void> {
    return this.#falling((registry) => registry.registerType(agentType));
  }

  addSubscription(subscription: WireSubscription): Promise<void> {
    return this.#falling((registry) => registry.addSubscription(subscription));
  }

  removeSubscription(subscription: WireSubscription): Promise<void> {
    return this.#current.removeSubscription(subscription);
  }

  subscriptions(): Promise<readonly WireSubscription[] | undefined> {
    return this.#current.subscriptions();
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
