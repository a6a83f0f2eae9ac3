import type {
  GetOptions,
  MessageStreamOptions,
  PublishOptions,
  RegisterAgentInstanceOptions,
  RegisterFactoryOptions,
  SendOptions,
  SendOptionsWithAnswer,
  TellOptions,
} from "../agent-runtime.ts";
import type { Agent } from "../agents/agent.ts";
import { lifeKinds } from "../agents/agent-life.ts";
import { sharingKinds } from "../agents/sharing.ts";
import { principalKinds } from "../agents/told-principal.ts";
import { turnKinds } from "../agents/turns.ts";
import { TroupeError } from "../errors.ts";
import { assertNotReserved } from "../reserved-names.ts";
import { largestWindowBytes, smallestWindowBytes } from "../streaming/stream-window.ts";
import { assertWaitOptions, waitKinds } from "../wait-options.ts";
import { assertAgentId, assertFactory, assertMessage, assertTopic } from "./assert-arguments.ts";
import { assertOptions, type OptionKinds, optionShape } from "./assert-options.ts";
import {
  agentId,
  callable,
  fields,
  flag,
  listOf,
  messageType,
  milliseconds,
  number,
  type OptionKind,
  signal,
  subscription,
  text,
  word,
} from "./option-kinds.ts";
import { anyTime, isWellFormed } from "./option-values.ts";

const idempotencyKey: OptionKind = {
  expected: "a text of 1 to 256 characters without half of a surrogate pair",
  accepts: isIdempotencyKey,
};

/** Whether a value may name a call for its agent. */
export function isIdempotencyKey(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= 256 && isWellFormed(value);
}

// Its names and values have their own check, which also copies them.
const metadata = { ...fields, expected: 'an object of texts, { tenant: "acme" }' };

const callKinds: OptionKinds<SendOptions> = {
  sender: agentId,
  signal,
  timeoutMs: milliseconds,
  waitForTarget: number(anyTime),
  scope: fields,
  metadata,
  messageId: text,
  idempotencyKey,
};

const callShape = optionShape<SendOptions & Partial<SendOptionsWithAnswer<unknown>>>({
  ...callKinds,
  answer: messageType,
});

const streamShape = optionShape<MessageStreamOptions>({
  ...callKinds,
  windowBytes: number({ from: smallestWindowBytes, to: largestWindowBytes }),
  idleTimeoutMs: number({ from: 1 }),
});

const toldShape = optionShape<TellOptions>({ sender: agentId, metadata, idempotencyKey });

const eventShape = optionShape<PublishOptions>({
  sender: agentId,
  signal,
  metadata,
  immediately: flag,
  delivery: word("durable"),
  idempotencyKey,
  messageId: text,
});

const getShape = optionShape<GetOptions>({ ...waitKinds, lazy: flag });

const factoryShape = optionShape<RegisterFactoryOptions<Agent>>({
  ...waitKinds,
  ...turnKinds,
  ...lifeKinds,
  ...sharingKinds,
  ...principalKinds,
  expectedClass: callable,
  subscriptions: listOf(subscription),
  whenTaken: word("fail", "wait"),
});

const instanceShape = optionShape<RegisterAgentInstanceOptions>({
  ...waitKinds,
  ...turnKinds,
  ...principalKinds,
  subscriptions: listOf(subscription),
});

/**
 * Checks the arguments of a call. Throws `invalid-argument` and says what to write instead. A valid call costs a few
 * comparisons, and one more for each of its options.
 */
export function assertCall(message: unknown, recipient: unknown, options: unknown): void {
  assertMessage(message);
  assertAgentId(recipient, "recipient");
  if (options !== undefined) assertOptions(options, callShape, "sendMessage");
}

/** Checks the arguments of a stream, as `assertCall` does for a call. */
export function assertStream(message: unknown, recipient: unknown, options: unknown): void {
  assertMessage(message);
  assertAgentId(recipient, "recipient");
  if (options !== undefined) assertOptions(options, streamShape, "stream");
}

/** Checks the arguments of a told message, as `assertCall` does for a call. */
export function assertTold(message: unknown, recipient: unknown, options: unknown): void {
  assertMessage(message);
  assertAgentId(recipient, "recipient");
  if (options !== undefined) assertOptions(options, toldShape, "tell");
}

/** Checks the arguments of an event, as `assertCall` does for a call. */
export function assertEvent(message: unknown, topic: unknown, options: unknown): void {
  assertMessage(message);
  assertTopic(topic);
  assertNotReserved("topic type", topic.type);
  if (options === undefined) return;
  assertOptions(options, eventShape, "publishMessage");
  const { delivery, idempotencyKey: key } = options as PublishOptions;
  if (key === undefined || delivery === "durable") return;
  const text = 'An event has an idempotencyKey only if it is kept: publish it with delivery: "durable".';
  throw new TroupeError("invalid-argument", text);
}

/** Checks the id and the options of a request about one agent; `taker` names the method. */
export function assertAgentRequest(id: unknown, options: unknown, taker: string): void {
  assertAgentId(id, "id of an agent");
  assertWaitOptions(options, taker);
}

/** Checks the options of `get`. */
export function assertGetOptions(options: unknown): void {
  if (options !== undefined) assertOptions(options, getShape, "get");
}

/** Checks the factory and the options of `registerFactory`. */
export function assertFactoryRegistration(factory: unknown, options: unknown): void {
  assertFactory(factory);
  if (options !== undefined) assertOptions(options, factoryShape, "registerFactory");
}

/** Checks the id and the options of `registerAgentInstance`. The catalog checks the agent. */
export function assertInstanceRegistration(id: unknown, options: unknown): void {
  assertAgentId(id, "id of an instance");
  assertNotReserved("agent type", id.type);
  if (options !== undefined) assertOptions(options, instanceShape, "registerAgentInstance");
}
