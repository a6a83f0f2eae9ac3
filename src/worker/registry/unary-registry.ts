import {
  decodeGetSubscriptionsResponse,
  emptyMessage,
  encodeAddSubscriptionRequest,
  encodeRegisterAgentRequest,
  encodeRemoveSubscriptionRequest,
  isSamePattern,
  method,
  type WireSubscription,
} from "../../protocol/internal.ts";
import type { Link, Metadata } from "../../transport/internal.ts";
import type { HostRegistry } from "./host-registry.ts";
import { isNotImplemented, isUnknownSubscription, refusalError } from "./refusal.ts";

export interface UnaryRegistryOptions {
  readonly link: Pick<Link, "unary">;
  readonly metadata: Metadata;
  readonly timeoutMs: number;
  /** Aborts when the connection ends; ends all calls that run. */
  readonly signal: AbortSignal;
  /** Whether the host is Troupe's. It keeps the ids of subscriptions, and may hold very many. */
  readonly isHostAnnounced: () => boolean;
}

/** Registers by unary calls at hosts of generations 2 and 3. */
export class UnaryRegistry implements HostRegistry {
  readonly #options: UnaryRegistryOptions;
  /** Whether the host keeps the subscription ids of this worker. .NET's gateway replaces them with its own. */
  // protocol.md §7
  #keepsIds: boolean | undefined;

  constructor(options: UnaryRegistryOptions) {
    this.#options = options;
  }

  async registerType(agentType: string): Promise<void> {
    await this.#call(method.registerAgent, encodeRegisterAgentRequest(agentType)).catch(
      rethrowRefusal(`register the agent type "${agentType}"`),
    );
  }

  async addSubscription(subscription: WireSubscription): Promise<void> {
    await this.#call(method.addSubscription, encodeAddSubscriptionRequest(subscription)).catch(
      rethrowRefusal("add the subscription"),
    );
  }

  async removeSubscription(subscription: WireSubscription): Promise<void> {
    const id = await this.#idAtHost(subscription);
    try {
      await this.#call(method.removeSubscription, encodeRemoveSubscriptionRequest(id));
    } catch (error) {
      if (!isNotImplemented(error) && !isUnknownSubscription(error)) {
        throw refusalError("remove the subscription", error);
      }
    }
  }

  async subscriptions(): Promise<readonly WireSubscription[] | undefined> {
    try {
      return decodeGetSubscriptionsResponse(await this.#call(method.getSubscriptions, emptyMessage));
    } catch (error) {
      if (isNotImplemented(error)) return undefined;
      throw refusalError("list its subscriptions", error);
    }
  }

  /** Returns the id of the subscription at the host. A host that replaces ids has an equal pattern under another id. */
  async #idAtHost(subscription: WireSubscription): Promise<string> {
    if (this.#keepsIds === true || this.#options.isHostAnnounced()) return subscription.id;
    const listed = await this.subscriptions();
    if (listed === undefined) return subscription.id;
    if (listed.some((other) => other.id === subscription.id)) {
      this.#keepsIds = true;
      return subscription.id;
    }
    return listed.find((other) => isSamePattern(other.pattern, subscription.pattern))?.id ?? subscription.id;
  }

  #call(name: string, request: Uint8Array): Promise<Uint8Array> {
    const { link, metadata, timeoutMs, signal } = this.#options;
    return link.unary(name, request, { metadata, timeoutMs, signal });
  }
}

/** Passes on an error that says that the method is missing, so that the caller can fall back. Turns other errors into Troupe's errors. */
function rethrowRefusal(what: string): (thrown: unknown) => never {
  return (thrown) => {
    throw isNotImplemented(thrown) ? thrown : refusalError(what, thrown);
  };
}
