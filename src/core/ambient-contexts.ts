import type { AgentFactoryContext } from "./agents/agent.ts";
import type { AgentId } from "./agents/agent-id.ts";
import type { MessageContext } from "./agents/message-context.ts";

// protocol.md §5.4
/**
 * Hooks for AutoGen's ambient contexts: `AgentInstantiationContext`, `MessageHandlerContext`,
 * `SubscriptionInstantiationContext`. Core passes values as arguments; `troupe/context` implements these hooks on
 * AsyncLocalStorage. A runtime without them holds undefined.
 */
export interface AmbientContexts {
  inFactory<T>(context: AgentFactoryContext, body: () => T): T;
  inHandler<T>(agentId: AgentId, body: () => T, context: MessageContext): T;
  /**
   * Id of the agent whose handler runs; undefined outside handlers. A `DefaultTopicId` published without a sender takes
   * its key.
   */
  handlerAgentId(): AgentId | undefined;
  /** Signal of the handler that runs; undefined outside handlers. Calls without a signal of their own use it. */
  handlerSignal(): AbortSignal | undefined;
  inSubscription<T>(agentType: string, body: () => T): T;
  /** Agent type whose subscription factory runs; undefined outside factories. A `DefaultSubscription` uses it. */
  subscribingAgentType(): string | undefined;
}
