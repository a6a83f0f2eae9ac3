import { type Logger, TroupeError } from "../../core/internal.ts";
import type { WireSubscription } from "../../protocol/internal.ts";
import type { HostRegistry } from "./host-registry.ts";
import { isNotImplemented } from "./refusal.ts";

/** Largest number of subscriptions of which a connection remembers that the host's answer did not come. */
const mostInDoubt = 1_000;

/** The registry of one connection. It uses unary calls until the host answers that it has none, and then the data channel. */
export class ConnectionRegistry implements HostRegistry {
  readonly #legacy: HostRegistry;
  readonly #logger: Logger;
  /** Types that the host has taken: it can't be told to forget one, so a second registration is not sent. */
  readonly #types = new Set<string>();
  /** Subscriptions by id that the host has taken: a handover that begins again does not add them twice. */
  readonly #subscriptions = new Set<string>();
  /** Subscriptions by id that the host may have taken, because no answer came. */
  readonly #inDoubt = new Set<string>();
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

  async addSubscription(subscription: WireSubscription, signal?: AbortSignal): Promise<void> {
    const { id } = subscription;
    if (this.#subscriptions.has(id)) return;
    const wasInDoubt = this.#inDoubt.delete(id);
    try {
      await this.#falling((registry) => registry.addSubscription(subscription, signal));
    } catch (error) {
      const isThere = error instanceof TroupeError && error.code === "already-exists";
      if (!isThere || !wasInDoubt) {
        if (isUnanswered(error) && this.#inDoubt.size < mostInDoubt) this.#inDoubt.add(id);
        throw error;
      }
    }
    this.#subscriptions.add(id);
  }

  async removeSubscription(subscription: WireSubscription, signal?: AbortSignal): Promise<void> {
    const { id } = subscription;
    if (this.#subscriptions.delete(id)) this.#inDoubt.add(id);
    await this.#current.removeSubscription(subscription, signal);
    this.#inDoubt.delete(id);
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

/** Whether the host may have carried out a request that failed. */
function isUnanswered(error: unknown): boolean {
  return error instanceof TroupeError && ["disconnected", "timed-out", "cancelled"].includes(error.code);
}
