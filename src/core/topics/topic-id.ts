import type { AgentId } from "../agents/agent-id.ts";
import type { AmbientContexts } from "../ambient-contexts.ts";
import { brandClass } from "../copies.ts";
import { TroupeError } from "../errors.ts";
import { quoted, wrongValue } from "../validation/option-values.ts";

/** The rule of topic types in words, for errors. */
export const topicTypeRule = "A topic type is one or more letters, digits, or characters of - _ . : = (no spaces).";

const topicTypePattern = /^[\p{L}\p{N}_\-.:=]+$/u;

// protocol.md §5.1
/** Whether a text is a valid topic type: letters, digits and `_ - . : =`. */
export function isValidTopicType(type: string): boolean {
  return topicTypePattern.test(type);
}

/**
 * A topic to publish events on: a type and a source, written `type/source`. Compared by value.
 *
 * @example
 * ```ts
 * const topic = new TopicId("orders", "lisbon"); // or TopicId.parse("orders/lisbon")
 * ```
 */
export class TopicId {
  readonly type: string;
  readonly source: string;

  // protocol.md §5.1
  /** Throws `invalid-argument` for an invalid type. Any source is valid. */
  constructor(type: string, source: string) {
    if (typeof type !== "string") throw wrongValue("The type of a TopicId must be a text", type);
    if (typeof source !== "string") throw wrongValue("The source of a TopicId must be a text", source);
    if (!isValidTopicType(type)) {
      throw new TroupeError("invalid-argument", `Invalid topic type: ${quoted(type)}. ${topicTypeRule}`);
    }
    this.type = type;
    this.source = source;
  }

  /** Parses `type/source`, split at the first `/`. Throws `invalid-argument` if there is none. */
  static parse(text: string): TopicId {
    if (typeof text !== "string") throw wrongValue("A topic id to parse must be a text, type/source", text);
    const slash = text.indexOf("/");
    if (slash < 0) {
      throw new TroupeError("invalid-argument", `Invalid topic id: ${quoted(text)}. Write type/source: orders/7.`);
    }
    return new TopicId(text.slice(0, slash), text.slice(slash + 1));
  }

  equals(other: TopicId | undefined): boolean {
    return other !== undefined && this.type === other.type && this.source === other.source;
  }

  toString(): string {
    return `${this.type}/${this.source}`;
  }
}
brandClass(TopicId, "TopicId");

/**
 * A topic, of type `default` unless given, whose source is set when an event is published. The source is the key of the
 * publishing agent, or `default`. Until then `source` reads `default`.
 */
export class DefaultTopicId extends TopicId {
  readonly #source: string | undefined;

  constructor(type = "default", source?: string) {
    super(type, source ?? "default");
    this.#source = source;
  }

  /** Returns the topic for a publisher with this key, or without one. */
  resolve(senderKey: string | undefined): TopicId {
    return this.#source !== undefined || senderKey === undefined
      ? new TopicId(this.type, this.source)
      : new TopicId(this.type, senderKey);
  }
}
brandClass(DefaultTopicId, "DefaultTopicId");

/**
 * Returns the topic that an event is published on. A `DefaultTopicId` without a source takes the key of the sender, or
 * else of the agent whose handler publishes.
 */
export function resolveTopic(
  topic: TopicId,
  sender: AgentId | undefined,
  ambient: AmbientContexts | undefined,
): TopicId {
  // The usual kind, found without a look at its brand.
  if (Object.getPrototypeOf(topic) === TopicId.prototype) return topic;
  if (!(topic instanceof DefaultTopicId)) return topic;
  return topic.resolve((sender ?? ambient?.handlerAgentId())?.key);
}
