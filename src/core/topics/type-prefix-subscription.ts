import { AgentId, type AgentType, agentTypeText } from "../agents/agent-id.ts";
import { randomId } from "../clock.ts";
import { CantHandleException } from "../errors.ts";
import type { Subscription } from "./subscription.ts";
import type { TopicId } from "./topic-id.ts";

/** Topics whose type starts with a prefix (case-sensitive; an empty one matches all) reach the agents of one type (protocol.md §5.2). */
export class TypePrefixSubscription implements Subscription {
  readonly id: string;
  readonly topicTypePrefix: string;
  readonly agentType: string;

  /** The id defaults to a new UUID. */
  constructor(topicTypePrefix: string, agentType: string | AgentType, id: string = randomId()) {
    this.id = id;
    this.topicTypePrefix = topicTypePrefix;
    this.agentType = agentTypeText(agentType);
  }

  isMatch(topic: TopicId): boolean {
    return topic.type.startsWith(this.topicTypePrefix);
  }

  mapToAgent(topic: TopicId): AgentId {
    if (!this.isMatch(topic)) throw new CantHandleException("TopicId does not match the subscription");
    return new AgentId(this.agentType, topic.source);
  }

  equals(other: Subscription): boolean {
    return (
      other instanceof TypePrefixSubscription &&
      (other.id === this.id || (other.topicTypePrefix === this.topicTypePrefix && other.agentType === this.agentType))
    );
  }
}

/** What every agent type gets at registration unless it is skipped: topics that start with `{agentType}:`. */
export function directMessageSubscription(agentType: string): TypePrefixSubscription {
  return new TypePrefixSubscription(`${agentType}:`, agentType);
}
