import type { AgentId } from "../agents/agent-id.ts";
import type { AmbientContexts } from "../ambient-contexts.ts";
import { TroupeError } from "../errors.ts";

const topicTypePattern = /^[\p{L}\p{N}_\-.:=]+$/u;

/** Whether a text may be a topic's type: letters, digits, `_ - . : =` (protocol.md §5.1). */
export function isValidTopicType(type: string): boolean {
  return topicTypePattern.test(type);
}

/** Where an event is published: a type and a source, written `type/source`. Compared by value, whatever the class. */
export class TopicId {
  readonly type: string;
  readonly source: string;

  /** Throws `invalid-argument` when the type is not valid; any source is (protocol.md §5.1). */
  constructor(type: string, source: string) {
    if (!isValidTopicType(type)) {
      throw new TroupeError(
        "invalid-argument",
        `Invalid topic type: ${type}. Must match the pattern: ^[\\w\\-\\.\\:\\=]+\\Z`,
      );
    }
    this.type = type;
    this.source = source;
  }

  /** Reads `type/source`, split at the first `/`; throws `invalid-argument` when there is none. */
  static parse(text: string): TopicId {
    const slash = text.indexOf("/");
    if (slash < 0) throw new TroupeError("invalid-argument", `Invalid topic id: ${text}`);
    return new TopicId(text.slice(0, slash), text.slice(slash + 1));
  }

  equals(other: TopicId | undefined): boolean {
    return other !== undefined && this.type === other.type && this.source === other.source;
  }

  toString(): string {
    return `${this.type}/${this.source}`;
  }
}

/**
 * The topic `default` (or another type) whose source is left to the moment of publishing: the key of the agent that
 * publishes it, else `default`. Runtimes call `resolve`; until then `source` reads `default`.
 */
export class DefaultTopicId extends TopicId {
  readonly #source: string | undefined;

  constructor(type = "default", source?: string) {
    super(type, source ?? "default");
    this.#source = source;
  }

  /** The topic as it is published by an agent with this key, or by nobody. */
  resolve(senderKey: string | undefined): TopicId {
    return this.#source !== undefined || senderKey === undefined
      ? new TopicId(this.type, this.source)
      : new TopicId(this.type, senderKey);
  }
}

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
