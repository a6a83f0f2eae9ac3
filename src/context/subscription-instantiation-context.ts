import { AsyncLocalStorage } from "node:async_hooks";
import { AgentType, TroupeError } from "../core/internal.ts";
import { ambientHint } from "./ambient-hint.ts";

const storage = new AsyncLocalStorage<AgentType>();

/** For which agent type subscriptions are being made: known while subscription factories run (protocol.md §5.4). */
export const SubscriptionInstantiationContext = {
  /** Throws `wrong-state` when no subscriptions are being made. */
  agentType(): AgentType {
    const type = storage.getStore();
    if (type !== undefined) return type;
    throw new TroupeError(
      "wrong-state",
      "SubscriptionInstantiationContext.runtime() must be called within an instantiation context such as when the " +
        "AgentRuntime is instantiating an agent. Mostly likely this was caused by directly instantiating an agent " +
        `instead of using the AgentRuntime to do so. ${ambientHint}`,
    );
  },
};

export function subscribingAgentType(): string | undefined {
  return storage.getStore()?.type;
}

export function inSubscription<T>(agentType: string, body: () => T): T {
  return storage.run(new AgentType(agentType), body);
}
