import { joinSignals, type SharingTerms } from "../../core/internal.ts";
import {
  clientIdKey,
  decodeGetSubscriptionsResponse,
  durableKey,
  emptyMessage,
  encodeAddSubscriptionRequest,
  encodeRegisterAgentRequest,
  encodeRemoveSubscriptionRequest,
  isSamePattern,
  method,
  sharingMetadata,
  tellsPrincipalKey,
  type WireSubscription,
} from "../../protocol/internal.ts";
import type { Link, Metadata } from "../../transport/internal.ts";
import type { FirstRoundTrip } from "./first-round-trip.ts";
import type { HostRegistry } from "./host-registry.ts";
import {
  isNotImplemented,
  isUnknownSubscription,
  refusalError,
  subscriptionRefusalError,
  TypeTakenError,
  typeRefusalError,
} from "./refusal.ts";

export interface UnaryRegistryOptions {
  readonly link: Pick<Link, "unary">;
  readonly metadata: Metadata;
  readonly timeoutMs: number;
  /** Aborts when the connection ends; ends all calls that run. */
  readonly signal: AbortSignal;
  /** Whether the host is Troupe's. It keeps the ids of subscriptions, and may hold very many. */
  readonly isHostAnnounced: () => boolean;
  readonly firstRoundTrip: FirstRoundTrip;
  /** Returns the terms under which the worker shares a type; undefined: it does not. */
  readonly sharingOf: (agentType: string) => SharingTerms | undefined;
  /** Whether handlers of a type hear who calls. */
  readonly tellsPrincipal: (agentType: string) => boolean;
}

/**
 * Registers at hosts of generations 2 and 3 by unary calls. When the host lacks the method, the registry passes the error on, so
 * that the caller can fall back.
 */
export class UnaryRegistry implements HostRegistry {
  readonly #options: UnaryRegistryOptions;
  /** Whether the host keeps the subscription ids of this worker. .NET's gateway replaces them with its own. */
  // protocol.md §7
  #keepsIds: boolean | undefined;

  constructor(options: UnaryRegistryOptions) {
    this.#options = options;
  }

  async registerType(agentType: string, signal?: AbortSignal): Promise<void> {
    try {
      await this.#options.firstRoundTrip.wait(signal);
      const { sharingOf, tellsPrincipal } = this.#options;
      const terms = {
        ...sharingMetadata(sharingOf(agentType)),
        ...(tellsPrincipal(agentType) && { [tellsPrincipalKey]: "1" }),
      };
      await this.#call(method.registerAgent, encodeRegisterAgentRequest(agentType), signal, terms);
    } catch (error) {
      if (isNotImplemented(error)) throw error;
      const refusal = typeRefusalError(agentType, error, this.#options.isHostAnnounced());
      // A stock host refuses what this connection has registered before, for instance by a call that was cancelled.
      if (refusal instanceof TypeTakenError && refusal.owner === this.#options.metadata[clientIdKey]) return;
      throw refusal;
    }
  }

  async addSubscription(subscription: WireSubscription, signal?: AbortSignal): Promise<void> {
    try {
      await this.#options.firstRoundTrip.wait(signal);
      const request = encodeAddSubscriptionRequest(subscription);
      await this.#call(method.addSubscription, request, signal, durableMetadata(subscription));
    } catch (error) {
      throw isNotImplemented(error) ? error : subscriptionRefusalError(subscription, error);
    }
  }

  async removeSubscription(subscription: WireSubscription, signal?: AbortSignal): Promise<void> {
    const id = await this.#idAtHost(subscription, signal);
    try {
      const request = encodeRemoveSubscriptionRequest(id);
      await this.#call(method.removeSubscription, request, signal, durableMetadata(subscription));
    } catch (error) {
      if (!isNotImplemented(error) && !isUnknownSubscription(error)) {
        throw refusalError("remove the subscription", error);
      }
    }
  }

  async subscriptions(signal?: AbortSignal): Promise<readonly WireSubscription[] | undefined> {
    try {
      return decodeGetSubscriptionsResponse(await this.#call(method.getSubscriptions, emptyMessage, signal));
    } catch (error) {
      if (isNotImplemented(error)) return undefined;
      throw refusalError("list its subscriptions", error);
    }
  }

  /** Returns the id of the subscription at the host. A host that replaces ids has an equal pattern under another id. */
  async #idAtHost(subscription: WireSubscription, signal: AbortSignal | undefined): Promise<string> {
    if (this.#keepsIds === true || this.#options.isHostAnnounced()) return subscription.id;
    const listed = await this.subscriptions(signal);
    if (listed === undefined) return subscription.id;
    if (listed.some((other) => other.id === subscription.id)) {
      this.#keepsIds = true;
      return subscription.id;
    }
    return listed.find((other) => isSamePattern(other.pattern, subscription.pattern))?.id ?? subscription.id;
  }

  async #call(
    name: string,
    request: Uint8Array,
    callerSignal: AbortSignal | undefined,
    more?: Metadata,
  ): Promise<Uint8Array> {
    const { link, metadata: own, timeoutMs, signal: connectionSignal } = this.#options;
    const metadata = more === undefined ? own : { ...own, ...more };
    if (callerSignal === undefined) return link.unary(name, request, { metadata, timeoutMs, signal: connectionSignal });
    const { signal, letGo } = joinSignals(connectionSignal, callerSignal);
    try {
      return await link.unary(name, request, { metadata, timeoutMs, signal });
    } finally {
      letGo();
    }
  }
}

// protocol.md §11.18
function durableMetadata({ isDurable }: WireSubscription): Metadata | undefined {
  return isDurable === true ? { [durableKey]: "1" } : undefined;
}
