import type { AgentId } from "../agent-id.ts";
import { DefaultTopicId, type TopicId } from "../topic-id.ts";

/** The topic an event is really published on: a `DefaultTopicId` without a source takes the publisher's key. */
export function resolveTopic(topic: TopicId, sender: AgentId | undefined): TopicId {
  return topic instanceof DefaultTopicId ? topic.resolve(sender?.key) : topic;
}
