import { AgentId, type CodecRegistry, errorText, type MessageType, TroupeError } from "../core/internal.ts";
import { HttpProblem } from "../http/internal.ts";
import type { Principal } from "../security/internal.ts";
import type { ExposedAgent, ExposedTopic } from "./gateway-options.ts";
import { nothingHere } from "./web-problem.ts";

/** A message as a client gets it. */
export interface WebMessage {
  readonly type: string;
  /** JSON in one line. */
  readonly json: string;
}

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();
/** Most characters of a key and of the source of a topic: as many as names in a store have. */
export const longestKey = 1_024;

/** An agent type that clients reach. */
export class ExposedType {
  readonly type: string;
  readonly chat: MessageType | undefined;
  readonly history: MessageType | undefined;
  readonly messages: ReadonlyMap<string, MessageType>;
  readonly #key: ExposedAgent["key"];

  constructor(type: string, { messages, chat, history, key }: ExposedAgent) {
    this.type = type;
    this.chat = chat;
    this.history = history;
    this.messages = new Map(messages.map((message) => [message.typeName, message]));
    this.#key = key;
  }

  /** Returns the agent that a principal reaches under a key, or under the id of a chat. Throws the problem that refuses it. */
  agentAt(key: string, principal: Principal | undefined): AgentId {
    const found = this.#key === undefined ? this.#usualKey(key, principal) : this.#key({ principal, key });
    if (found === undefined) throw new HttpProblem(403, "not-authorized", "You may not reach this agent.");
    if (typeof found !== "string" || found === "" || found.length > longestKey || /\p{Surrogate}/u.test(found)) {
      throw new HttpProblem(400, "invalid-argument", `The key of an agent has 1 to ${longestKey} characters.`);
    }
    if (hasControl(found))
      throw new HttpProblem(400, "invalid-argument", "The key of an agent contains no control characters.");
    return new AgentId(this.type, found);
  }

  /** A type with chats has agents for each principal: calls do not reach the chat of another one either. */
  #usualKey(key: string, principal: Principal | undefined): string {
    if (this.chat === undefined || principal === undefined) return key;
    return `${encodeURIComponent(principal.name)}:${key}`;
  }
}

/** Agents and topics that clients reach, by name. Everything else is not there for them. */
export class Exposed {
  readonly agents: ReadonlyMap<string, ExposedType>;
  readonly topics: ReadonlyMap<string, ExposedTopic>;
  readonly #codecs: CodecRegistry;

  constructor(
    expose: Readonly<Record<string, ExposedAgent>>,
    topics: Readonly<Record<string, ExposedTopic>>,
    codecs: CodecRegistry,
  ) {
    this.agents = new Map(Object.entries(expose).map(([type, agent]) => [type, new ExposedType(type, agent)]));
    this.topics = new Map(Object.entries(topics));
    this.#codecs = codecs;
    codecs.add(this.types());
  }

  /** Returns all message types that clients send or see. */
  types(): readonly MessageType[] {
    const sent = [...this.agents.values()].flatMap(({ messages, chat, history }) => [
      ...messages.values(),
      ...[chat, history].filter((type) => type !== undefined),
    ]);
    const answers = sent.flatMap(({ answer, chunk }) => [answer, chunk].filter((type) => type !== undefined));
    const events = [...this.topics.values()].flatMap(({ subscribe = [], publish = [] }) => [...subscribe, ...publish]);
    return [...new Set([...sent, ...answers, ...events])];
  }

  agent(type: string): ExposedType {
    const found = this.agents.get(type);
    if (found === undefined) throw nothingHere();
    return found;
  }

  topic(type: string): ExposedTopic {
    const found = this.topics.get(type);
    if (found === undefined) throw nothingHere();
    return found;
  }

  /** Returns a message as clients get it. */
  toWeb(value: unknown): WebMessage {
    const { typeName, contentType, data } = this.#codecs.encode(value);
    if (!/^application\/json\b/i.test(contentType)) {
      throw new TroupeError(
        "unexpected-answer",
        `A message of the type ${typeName} is not JSON, so that no client can read it.`,
      );
    }
    // Line ends of JSON text are outside its strings, and would end an event of a stream.
    const json = fromUtf8.decode(data).replace(/[\r\n\u2028\u2029]+/g, " ");
    return { type: typeName, json: json.trim() === "" ? "null" : json };
  }
}

/** Makes a message of what a client has sent. Throws a problem that says what is wrong with it. */
export function readMessage(types: Iterable<MessageType>, name: unknown, fields: unknown): unknown {
  const known = [...types];
  if (typeof name !== "string") throw invalid("The field type must be the name of a message type.");
  const type = known.find(({ typeName }) => typeName === name);
  // The names of other types are not told.
  if (type === undefined) throw new HttpProblem(404, "not-found", "No message of this type can be sent here.");
  return readFields(type, fields);
}

/** Makes a message of this type. */
export function readFields(type: MessageType, fields: unknown): unknown {
  if (fields === undefined) throw invalid("The field message is missing.");
  try {
    return type.deserialize(utf8.encode(JSON.stringify(fields)));
  } catch (error) {
    // A value of many levels exhausts the stack of the code that goes through it.
    const detail = error instanceof RangeError ? "The message is nested too deeply." : errorText(error);
    throw new HttpProblem(400, "invalid-message", detail, { cause: error });
  }
}

/** Whether a name has a character that stores and logs of other systems may not take, such as NUL. */
export function hasControl(name: string): boolean {
  return /\p{Cc}/u.test(name);
}

export function invalid(detail: string): HttpProblem {
  return new HttpProblem(400, "invalid-message", detail);
}
