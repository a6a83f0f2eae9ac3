import { AgentId, isValidAgentType, isValidTopicType, TopicId, TroupeError } from "../core/internal.ts";
import type { WireAgentId } from "./frames/frame.ts";
import { unknownSender } from "./wire-names.ts";

export function toWireAgentId(id: AgentId): WireAgentId {
  return { type: id.type, key: id.key };
}

/** Throws `invalid-message` when the type is not one that an agent can have. */
export function fromWireAgentId(id: WireAgentId): AgentId {
  if (!isValidAgentType(id.type)) {
    throw new TroupeError("invalid-message", `The agent id "${id.type}/${id.key}" on the wire is not valid.`);
  }
  return new AgentId(id.type, id.key);
}

/** Throws `invalid-message` when the type is not one that a topic can have. */
export function fromWireTopic(type: string, source: string): TopicId {
  if (!isValidTopicType(type)) {
    throw new TroupeError("invalid-message", `The topic "${type}/${source}" on the wire is not valid.`);
  }
  return new TopicId(type, source);
}

/** Who published an event: `unknown/unknown` is how Python writes nobody (protocol.md W21). */
export function fromWireSender(sender: WireAgentId | undefined): AgentId | undefined {
  if (sender === undefined) return undefined;
  if (sender.type === unknownSender && sender.key === unknownSender) return undefined;
  return fromWireAgentId(sender);
}
