import type { AgentFactoryContext } from "./agent.ts";
import type { AgentId } from "./agent-id.ts";

/**
 * Hooks for AutoGen's ambient contexts (`AgentInstantiationContext`, `MessageHandlerContext`,
 * `SubscriptionInstantiationContext`, protocol.md §5.4). Core passes things in; the door `troupe/context` offers an
 * adapter on AsyncLocalStorage for those who want them ambient. Runtimes hold `AmbientContexts | undefined`.
 */
export interface AmbientContexts {
  inFactory<T>(context: AgentFactoryContext, body: () => T): T;
  inHandler<T>(agentId: AgentId, body: () => T): T;
  inSubscription<T>(agentType: string, body: () => T): T;
}
