import type { AgentRuntime } from "../agent-runtime.ts";
import type { AgentId } from "../agents/agent-id.ts";
import { HandlerContext } from "../delivery/handler-context.ts";
import type { PublishEnvelope } from "./envelope.ts";

/** Returns the context of one of an event's handlers, or of its interventions, which run in the name of no agent. */
export function eventContext(envelope: PublishEnvelope, agentId?: AgentId, runtime?: AgentRuntime): HandlerContext {
  const { sender, topicId, messageId, signal, metadata } = envelope;
  return new HandlerContext({ sender, topicId, isRpc: false, messageId, agentId, runtime, signal, metadata });
}
