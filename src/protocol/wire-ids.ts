import { AgentId, isValidAgentType, isValidTopicType, TopicId, TroupeError } from "../core/internal.ts";
import type { WireAgentId } from "./frames/frame.ts";
import { unknownSender } from "./wire-names.ts";

/** Converts an agent id to its wire form. */
export function toWireAgentId(id: AgentId): WireAgentId {
  return { type: id.type, key: id.key };
}

/** Reads an agent id. Throws `invalid-message` for a type that no agent can have. */
export function fromWireAgentId(id: WireAgentId): AgentId {
  if (!isValidAgentType(id.type)) {
    throw new TroupeError("invalid-message", `The agent id "${id.type}/${id.key}" on the wire is not valid.`);
  }
  return new AgentId(id.type, id.key);
}

/** Reads a topic id. Throws `invalid-message` for a type that no topic can have. */
export function fromWireTopic(type: string, source: string): TopicId {
  if (!isValidTopicType(type)) {
    throw new TroupeError("invalid-message", `The topic "${type}/${source}" on the wire is not valid.`);
  }
  return new TopicId(type, source);
}

// protocol.md W21
/** Returns the publisher of an event; undefined for `unknown/unknown`, which Python writes for no publisher. */
export function fromWireSender(sender: WireAgentId | undefined): AgentId | undefined {
  if (sender === undefined) return undefined;
  if (sender.type === unknownSender && sender.key === unknownSender) return undefined;
  return fromWireAgentId(sender);
}
