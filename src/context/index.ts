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

export {
  AgentInstantiationContext,
  ambientContexts,
  MessageHandlerContext,
  SubscriptionInstantiationContext,
} from "./ambient-contexts.ts";
