import { AgentId, type AgentType, agentTypeText } from "../agents/agent-id.ts";
import { randomId } from "../clock.ts";
import { CantHandleException } from "../errors.ts";
import type { TopicId } from "./topic-id.ts";

/**
 * Which topics reach which agents. Without side effects, so that its results may be remembered (protocol.md §5.2).
 * Known kinds are `TypeSubscription` and `TypePrefixSubscription`; only those travel on the wire.
 */
export interface Subscription {
  /** Unique; a UUID by default. Kept over reconnects. */
  readonly id: string;
  isMatch(topic: TopicId): boolean;
  /** The agent that gets an event on this topic; throws `CantHandleException` when the topic does not match. */
  mapToAgent(topic: TopicId): AgentId;
  /** Same kind and (same id, or same pattern and agent type). */
  equals(other: Subscription): boolean;
}

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
