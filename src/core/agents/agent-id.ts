import { brandClass } from "../copies.ts";
import { TroupeError } from "../errors.ts";
import { quoted, wrongValue } from "../validation/option-values.ts";

const agentTypePattern = /^[\p{L}\p{N}_\-.]+$/u;
const portableAgentTypePattern = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

// protocol.md §5.1
/** Returns whether a text may name an agent type: one or more letters, digits, `_`, `-` or `.` of any script. */
export function isValidAgentType(type: string): boolean {
  return agentTypePattern.test(type);
}

// protocol.md §5.1
/** Returns whether .NET workers can also serve and call this type: `[a-zA-Z_][a-zA-Z0-9_]*`. */
export function isPortableAgentType(type: string): boolean {
  if (typeof type !== "string") throw wrongValue("The agent type must be a text", type);
  return portableAgentTypePattern.test(type);
}

/** Throws `invalid-argument` when `type` can't name an agent type. */
export function assertAgentType(type: string): void {
  if (!isValidAgentType(type)) {
    const rule = "An agent type is one or more letters, digits, or characters of - _ . (no spaces).";
    throw new TroupeError("invalid-argument", `Invalid agent type: ${quoted(type)}. ${rule}`);
  }
}

/**
 * The name under which a runtime serves agents of one kind. Every method that takes a type's text takes it too. It does not
 * validate the text.
 */
export class AgentType {
  readonly type: string;

  constructor(type: string) {
    if (typeof type !== "string") throw wrongValue("The agent type must be a text", type);
    this.type = type;
  }

  toString(): string {
    return this.type;
  }
}
brandClass(AgentType, "AgentType");

/** Returns the text of an agent type, given as a text or as an `AgentType`. */
export function agentTypeText(type: string | AgentType): string {
  if (typeof type === "string") return type;
  if (type instanceof AgentType || isAgentType(type)) return type.type;
  throw wrongValue("The agent type must be a text or an AgentType", type);
}

/** Whether it is an agent type of another copy of this package. An agent id and a topic id also have a type, but are no agent types. */
function isAgentType(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return "type" in value && typeof value.type === "string" && !("key" in value) && !("source" in value);
}

/** Names one agent: its type and a key, written `type/key`. Two ids are equal when both parts are equal (`equals`). */
export class AgentId {
  readonly type: string;
  readonly key: string;

  // protocol.md §5.1
  /** Throws `invalid-argument` when the type is not valid. Every key is valid. */
  constructor(type: string | AgentType, key: string) {
    this.type = agentTypeText(type);
    assertAgentType(this.type);
    if (typeof key !== "string") throw wrongValue("The key of an AgentId must be a text", key);
    this.key = key;
  }

  /** Reads `type/key`, split at the first `/`; throws `invalid-argument` when there is none or the type is not valid. */
  static parse(text: string): AgentId {
    if (typeof text !== "string") throw wrongValue("An agent id to parse must be a text, type/key", text);
    const slash = text.indexOf("/");
    if (slash < 0) {
      throw new TroupeError("invalid-argument", `Invalid agent id: ${quoted(text)}. Write type/key: greeter/ada.`);
    }
    return new AgentId(text.slice(0, slash), text.slice(slash + 1));
  }

  equals(other: AgentId | undefined): boolean {
    return other !== undefined && this.type === other.type && this.key === other.key;
  }

  toString(): string {
    return `${this.type}/${this.key}`;
  }
}
brandClass(AgentId, "AgentId");
