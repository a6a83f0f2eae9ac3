import type { WireSubscription } from "../../protocol/internal.ts";

/**
 * The registrations of this worker at a host. Two adapters: unary calls (generations 2, 3) and the data channel (1). A signal
 * ends the wait for the host's answer; the host may have done what it was asked.
 */
export interface HostRegistry {
  /** Throws `TypeTakenError` when another worker serves the type. */
  registerType(agentType: string, signal?: AbortSignal): Promise<void>;
  /** Throws `already-exists` when an equal one is there. */
  addSubscription(subscription: WireSubscription, signal?: AbortSignal): Promise<void>;
  // protocol.md §1.1
  /** Resolves as well when the host does not know it, or can't remove any. */
  removeSubscription(subscription: WireSubscription, signal?: AbortSignal): Promise<void>;
  /** All subscriptions at the host; undefined when it can't tell. */
  subscriptions(signal?: AbortSignal): Promise<readonly WireSubscription[] | undefined>;
}
