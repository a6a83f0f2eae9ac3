import { AgentId, type AgentType, agentTypeText } from "../agents/agent-id.ts";
import { randomId } from "../clock.ts";
import { CantHandleException } from "../errors.ts";
import type { Subscription } from "./subscription.ts";
import type { TopicId } from "./topic-id.ts";

/** Topics of exactly one type reach the agents of one type; the topic's source is the agent's key (protocol.md §5.2). */
export class TypeSubscription implements Subscription {
  readonly id: string;
  readonly topicType: string;
  readonly agentType: string;

  /** The id defaults to a new UUID. */
  constructor(topicType: string, agentType: string | AgentType, id: string = randomId()) {
    this.id = id;
    this.topicType = topicType;
    this.agentType = agentTypeText(agentType);
  }

  isMatch(topic: TopicId): boolean {
    return topic.type === this.topicType;
  }

  mapToAgent(topic: TopicId): AgentId {
    if (!this.isMatch(topic)) throw new CantHandleException("TopicId does not match the subscription");
    return new AgentId(this.agentType, topic.source);
  }

  equals(other: Subscription): boolean {
    return (
      other instanceof TypeSubscription &&
      (other.id === this.id || (other.topicType === this.topicType && other.agentType === this.agentType))
    );
  }
}
