import type { WireSubscription } from "../../protocol/internal.ts";

/** What a worker tells its host about itself. Two adapters: unary calls (generations 2, 3) and the data channel (1). */
export interface HostRegistry {
  /** Throws `already-exists` when another worker serves the type. */
  registerType(agentType: string): Promise<void>;
  /** Throws `already-exists` when an equal one is there. */
  addSubscription(subscription: WireSubscription): Promise<void>;
  /** Resolves as well when the host does not know it, or can't remove any (protocol.md §1.1). */
  removeSubscription(subscription: WireSubscription): Promise<void>;
  /** All subscriptions at the host; undefined when it can't tell. */
  subscriptions(): Promise<readonly WireSubscription[] | undefined>;
}
