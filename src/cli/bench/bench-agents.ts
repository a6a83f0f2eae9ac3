import { randomBytes } from "node:crypto";
import {
  AgentId,
  type AgentRuntime,
  BaseAgent,
  jsonContentType,
  TopicId,
  TypeSubscription,
  UnknownPayload,
} from "../../core/internal.ts";
import type { WorkerRuntime } from "../../worker/internal.ts";

/** The beginning of the names of all agent types and topics that a measurement makes: rules name them `troupe-bench-*`. */
export const benchPrefix = "troupe-bench-";
const messageType = "BenchMessage";
/** Digits at the beginning of an event, which say its number. */
const numberDigits = 12;

/** A name that no other agent type has. */
export function benchName(): string {
  return `${benchPrefix}${randomBytes(12).toString("hex")}`;
}

/** Makes a message of `bytes` bytes of JSON. `number`: stands at its beginning. */
export function messageOfBytes(bytes: number, number = 0): UnknownPayload {
  const text = `"${String(number)
    .padStart(numberDigits, "0")
    .padEnd(Math.max(numberDigits, bytes - 2), "x")}"`;
  return new UnknownPayload(messageType, jsonContentType, new TextEncoder().encode(text));
}

/** The fewest bytes of a message. */
export const fewestBytes = numberDigits + 2;

/** Answers each call with the message itself. */
class Echo extends BaseAgent {
  protected override onMessageImpl(message: unknown): unknown {
    return message;
  }
}

/** Takes the numbers of events. */
class Ear extends BaseAgent {
  readonly #onEvent: (number: number) => void;

  constructor(onEvent: (number: number) => void) {
    super("hears the events of troupe bench");
    this.#onEvent = onEvent;
  }

  protected override onMessageImpl(message: unknown): void {
    if (!(message instanceof UnknownPayload)) return;
    this.#onEvent(Number(new TextDecoder().decode(message.payload.subarray(1, 1 + numberDigits))));
  }
}

/** Registers an agent that echoes. Resolves to its id. */
export async function registerEcho(worker: WorkerRuntime): Promise<AgentId> {
  const type = benchName();
  await register(worker, type, () => new Echo("echoes the calls of troupe bench"));
  return new AgentId(type, "echo");
}

/** Has a worker hear the events of a topic. */
export async function registerEar(
  worker: WorkerRuntime,
  topic: TopicId,
  onEvent: (number: number) => void,
): Promise<void> {
  const type = benchName();
  await register(worker, type, () => new Ear(onEvent));
  await worker.addSubscription(new TypeSubscription(topic.type, type));
}

export function benchTopic(): TopicId {
  return new TopicId(benchName(), "bench");
}

function register(worker: AgentRuntime, type: string, make: () => BaseAgent): Promise<unknown> {
  return worker.registerFactory(type, make);
}
