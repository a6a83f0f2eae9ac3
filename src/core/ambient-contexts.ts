import type { AgentFactoryContext } from "./agents/agent.ts";
import type { AgentId } from "./agents/agent-id.ts";
import type { MessageContext } from "./agents/message-context.ts";

/**
 * Hooks for AutoGen's ambient contexts (`AgentInstantiationContext`, `MessageHandlerContext`,
 * `SubscriptionInstantiationContext`, protocol.md §5.4). Core passes things in; the door `troupe/context` offers an
 * adapter on AsyncLocalStorage for those who want them ambient. Runtimes hold `AmbientContexts | undefined`.
 */
export interface AmbientContexts {
  inFactory<T>(context: AgentFactoryContext, body: () => T): T;
  inHandler<T>(agentId: AgentId, body: () => T, context: MessageContext): T;
  /** Whose handler runs, whose key a `DefaultTopicId` takes that is published in nobody's name; undefined outside handlers. */
  handlerAgentId(): AgentId | undefined;
  /** The signal of the handler that runs, which calls without one of their own take over; undefined outside handlers. */
  handlerSignal(): AbortSignal | undefined;
  inSubscription<T>(agentType: string, body: () => T): T;
  /** The type whose subscription factory runs, which a `DefaultSubscription` is for; undefined outside such factories. */
  subscribingAgentType(): string | undefined;
}
