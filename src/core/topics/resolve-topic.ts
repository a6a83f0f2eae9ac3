import type { AgentId } from "../agents/agent-id.ts";
import type { AmbientContexts } from "../ambient-contexts.ts";
import { DefaultTopicId, type TopicId } from "./topic-id.ts";

/**
 * The topic an event is really published on: a `DefaultTopicId` without a source takes the publisher's key, where it has
 * none that of the agent whose handler publishes it, if that is known.
 */
export function resolveTopic(
  topic: TopicId,
  sender: AgentId | undefined,
  ambient: AmbientContexts | undefined,
): TopicId {
  if (!(topic instanceof DefaultTopicId)) return topic;
  return topic.resolve((sender ?? ambient?.handlerAgentId())?.key);
}
