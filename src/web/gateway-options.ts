import {
  assertOptions,
  bareContentType,
  type Clock,
  callable,
  clock,
  fields,
  isValidAgentType,
  isValidTopicType,
  jsonContentType,
  listOf,
  type MessageType,
  messageType,
  number,
  optionShape,
  options,
  quoted,
  someRoom,
  someTime,
  TroupeError,
  text,
  whyReserved,
} from "../core/internal.ts";
import type { Authenticator, Principal } from "../security/internal.ts";

/** Returns the principal that has sent a request, at once or with a promise. Undefined: it does not know the sender. */
export type FindRequester = (request: Request) => Principal | undefined | PromiseLike<Principal | undefined>;

/** One thing that a client may do. */
export type GatewayAction =
  | "call"
  | "stream"
  | "run"
  | "read-run"
  | "cancel-run"
  | "read-chat"
  | "subscribe"
  | "publish";

/** A question to `may`. */
export interface GatewayAsk {
  /** Undefined: the gateway has no `authenticate`, and the client is on this machine. */
  readonly principal: Principal | undefined;
  readonly action: GatewayAction;
  /** The agent, `type/key`, or the topic, `type/source`. */
  readonly target: string;
  /** The type of the message of a call, a stream, a start of a run or an event. */
  readonly messageType: string | undefined;
}

/** A question to `key`. */
export interface AgentKeyAsk {
  readonly principal: Principal | undefined;
  /** The key in the path, or the id of the chat. */
  readonly key: string;
}

/** An agent type that clients reach. */
export interface ExposedAgent {
  /** The messages that clients may send: JSON messages, as `defineMessage` makes them. */
  readonly messages: readonly MessageType[];
  /**
   * The message that a chat page sends, such as `Prompt` of `troupe/ai`. Its fields are `text` and `files`, and its chunks are parts of the AI SDK's UI
   * message stream. Default: the agent type has no chats.
   */
  readonly chat?: MessageType | undefined;
  /**
   * The message that asks what was said in a chat, such as `ReadChat` of `troupe/ai`. It has no fields that must be given. Its answer is sent as it is.
   * Default: pages can't ask.
   */
  readonly history?: MessageType | undefined;
  /**
   * Returns the key of the agent that a client reaches, or undefined to refuse the request. Default: the key in the path. With `chat` it is
   * the name of the principal with that key or chat. So no principal reaches the chats of another one.
   */
  readonly key?: ((ask: AgentKeyAsk) => string | undefined) | undefined;
}

/** A topic type that clients reach. */
export interface ExposedTopic {
  /** The messages that subscribers see. Default: no client may subscribe. */
  readonly subscribe?: readonly MessageType[] | undefined;
  /** The messages that clients may publish. Default: none. */
  readonly publish?: readonly MessageType[] | undefined;
}

/** Bounds of a gateway. All are optional. */
export interface GatewayLimitOptions {
  /** Bytes of the body of a request. Beyond that the answer is 413. Default 1 MiB. */
  readonly maxBodyBytes?: number | undefined;
  /**
   * Bytes of the bodies of all requests that are under way, at least twice `maxBodyBytes`. A principal may hold twice as many as are free, which is two
   * thirds of all if it is alone. Beyond that the answer is 503. Default: 64 times `maxBodyBytes`.
   */
  readonly maxTotalBodyBytes?: number | undefined;
  /** Requests of one principal that are answered at once, streams apart. Beyond that the answer is 429. Default 256. */
  readonly maxRequests?: number | undefined;
  /** Open streams of one principal: of calls, runs, chats and topics. Beyond that the answer is 429. Default 32. */
  readonly maxStreams?: number | undefined;
  /** Runs of one principal that this gateway has started and that have not ended. Beyond that the answer is 429. Default 64. */
  readonly maxRuns?: number | undefined;
  /** Bytes of events that wait for one subscriber. Beyond that its stream ends as `overloaded`. Default 256 KiB. */
  readonly maxQueuedBytes?: number | undefined;
  /** Milliseconds that a call may take at most. Default 120 000. */
  readonly callTimeoutMs?: number | undefined;
  /** Milliseconds that a run may take at most. Default 3 600 000. */
  readonly runTimeoutMs?: number | undefined;
}

/** Options of `createGateway`. All are optional, and nothing is reached unless you say so. */
export interface GatewayOptions {
  /** Agent types that clients reach. Default: none. */
  readonly expose?: Readonly<Record<string, ExposedAgent>> | undefined;
  /** Topic types that clients reach. Default: none. */
  readonly topics?: Readonly<Record<string, ExposedTopic>> | undefined;
  /**
   * Finds out who sends a request: a function, or an authenticator of `troupe/security`. Default: the gateway answers clients on this machine
   * alone, as `toNodeHandler` tells them. All others get 403.
   */
  readonly authenticate?: Authenticator | FindRequester | undefined;
  /** Decides whether a principal may do what it asks for. It is asked beside `expose` and `topics`. Default: it may. */
  readonly may?: ((ask: GatewayAsk) => boolean | PromiseLike<boolean>) | undefined;
  /** Origins of pages of other sites that may ask, such as `https://app.example.com`. Default: only pages of the gateway's own site. */
  readonly origins?: readonly string[] | undefined;
  /** The beginning of each path, such as `/api`. Default: none. */
  readonly basePath?: string | undefined;
  readonly limits?: GatewayLimitOptions | undefined;
  /** Default: the system's clock. */
  readonly clock?: Clock | undefined;
}

const shape = optionShape<GatewayOptions>({
  expose: fields,
  topics: fields,
  authenticate: {
    expected: "a function, or an authenticator of troupe/security",
    accepts: (value) => callable.accepts(value) || isAuthenticator(value),
  },
  may: callable,
  origins: listOf({ expected: 'an origin, such as "https://app.example.com"', accepts: isOrigin }),
  basePath: { expected: 'a path that begins with "/" and does not end with it', accepts: isBasePath },
  limits: options<GatewayLimitOptions>({
    maxBodyBytes: number(someRoom),
    maxTotalBodyBytes: number(someRoom),
    maxRequests: number(someRoom),
    maxStreams: number(someRoom),
    maxRuns: number(someRoom),
    maxQueuedBytes: number({ from: 1_024 }),
    callTimeoutMs: number(someTime),
    runTimeoutMs: number(someTime),
  }),
  clock,
});
const agentShape = optionShape<ExposedAgent>({
  messages: listOf(messageType),
  chat: messageType,
  history: messageType,
  key: callable,
});
const topicShape = optionShape<ExposedTopic>({ subscribe: listOf(messageType), publish: listOf(messageType) });

/** Throws `invalid-argument` for options that a gateway can't take. */
export function assertGatewayOptions(given: GatewayOptions): void {
  assertOptions(given, shape, "createGateway");
  const { maxBodyBytes, maxTotalBodyBytes } = limitsOf(given.limits);
  demand(
    maxTotalBodyBytes >= 2 * maxBodyBytes,
    `The option limits.maxTotalBodyBytes is ${maxTotalBodyBytes}. It must be at least twice maxBodyBytes, ${2 * maxBodyBytes}.`,
  );
  for (const [type, agent] of Object.entries(given.expose ?? {})) {
    demand(isValidAgentType(type), `The option expose names ${quoted(type)}, which can't be an agent type.`);
    assertOptions(agent, agentShape, `The option expose.${type}`, `expose.${type}`);
    const { messages, chat, history } = agent;
    demand(messages !== undefined, `The option expose.${type} needs a list of messages: { messages: [AskPoem] }.`);
    assertMessages([...messages, ...[chat, history].filter((one) => one !== undefined)], `expose.${type}`);
    demand(
      history === undefined || chat !== undefined,
      `The option expose.${type} has a history and no chat: { chat: Prompt, history: ReadChat }.`,
    );
    demand(
      history === undefined || canBeEmpty(history),
      `The option expose.${type}.history is a message with fields that must be given. Use one without, such as ReadChat of troupe/ai.`,
    );
  }
  for (const [type, topic] of Object.entries(given.topics ?? {})) {
    const reserved = whyReserved("topic type", type);
    demand(reserved === undefined, reserved ?? "");
    demand(isValidTopicType(type), `The option topics names ${quoted(type)}, which can't be a topic type.`);
    assertOptions(topic, topicShape, `The option topics.${type}`, `topics.${type}`);
    assertMessages([...(topic.subscribe ?? []), ...(topic.publish ?? [])], `topics.${type}`);
  }
}

function canBeEmpty(type: MessageType): boolean {
  try {
    type.deserialize(new TextEncoder().encode("{}"));
    return true;
  } catch {
    return false;
  }
}

/** Browsers read and write JSON alone. */
function assertMessages(types: readonly MessageType[], name: string): void {
  for (const { typeName, contentType } of types) {
    const isJson = bareContentType(contentType) === jsonContentType;
    demand(
      isJson,
      `The option ${name} names ${quoted(typeName)}, which is not written as JSON. Use defineMessage or classMessage.`,
    );
  }
}

/** The limits of a gateway, each set. */
export type SetLimits = { readonly [Name in keyof GatewayLimitOptions]-?: number };

export function limitsOf(limits: GatewayLimitOptions = {}): SetLimits {
  const { maxBodyBytes = 1024 * 1024 } = limits;
  return {
    maxBodyBytes,
    maxTotalBodyBytes: limits.maxTotalBodyBytes ?? 64 * maxBodyBytes,
    maxRequests: limits.maxRequests ?? 256,
    maxStreams: limits.maxStreams ?? 32,
    maxRuns: limits.maxRuns ?? 64,
    maxQueuedBytes: limits.maxQueuedBytes ?? 256 * 1024,
    callTimeoutMs: limits.callTimeoutMs ?? 120_000,
    runTimeoutMs: limits.runTimeoutMs ?? 3_600_000,
  };
}

export function isAuthenticator(value: unknown): value is Authenticator {
  return (
    typeof value === "object" && value !== null && "authenticate" in value && typeof value.authenticate === "function"
  );
}

function isOrigin(value: unknown): boolean {
  return text.accepts(value) && /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+$/.test(String(value));
}

function isBasePath(value: unknown): boolean {
  return text.accepts(value) && /^(?:|(?:\/[\w.~-]+)+)$/.test(String(value));
}

function demand(isRight: boolean, detail: string): void {
  if (!isRight) throw new TroupeError("invalid-argument", detail);
}
