/**
 * AutoGen's ambient contexts: code that a factory or a handler calls finds the agent and the runtime without a parameter.
 *
 * @example
 * ```ts
 * import { SingleThreadedAgentRuntime } from "troupe";
 * import { ambientContexts, MessageHandlerContext } from "troupe/context";
 *
 * const runtime = new SingleThreadedAgentRuntime({ ambient: ambientContexts });
 * const writeNote = (text: string) => console.log(`${MessageHandlerContext.agentId()}: ${text}`);
 * ```
 *
 * @packageDocumentation
 */

export { AgentInstantiationContext } from "./agent-instantiation-context.ts";
export { ambientContexts } from "./ambient-contexts.ts";
export { MessageHandlerContext } from "./message-handler-context.ts";
export { SubscriptionInstantiationContext } from "./subscription-instantiation-context.ts";
