import { AgentId } from "../agents/agent-id.ts";
import { CancellationToken } from "../cancellation-token.ts";
import { TroupeError } from "../errors.ts";
import { assertMessageType } from "../serialization/message-type.ts";
import { TopicId } from "../topics/topic-id.ts";
import { describe } from "./option-values.ts";

/** Options of a call or an event as untyped JavaScript may give them. */
interface MessageOptions {
  readonly sender?: unknown;
  readonly timeoutMs?: unknown;
  readonly waitForTarget?: unknown;
  readonly signal?: unknown;
  readonly answer?: unknown;
}

/**
 * Checks the arguments of a call. Throws `invalid-argument` and says what to write instead. A valid call costs a few
 * comparisons.
 */
export function assertCall(recipient: unknown, options: MessageOptions): void {
  const { sender, signal, answer, timeoutMs, waitForTarget } = options;
  assertAgentId(recipient, "recipient");
  if (sender !== undefined) assertAgentId(sender, "sender");
  if (signal !== undefined) assertSignal(signal);
  if (answer !== undefined) assertMessageType(answer, "The answer of a call");
  if (timeoutMs !== undefined && (typeof timeoutMs !== "number" || Number.isNaN(timeoutMs))) {
    throw wrong("The timeoutMs of a call must be a number of milliseconds", timeoutMs);
  }
  if (waitForTarget !== undefined && !(typeof waitForTarget === "number" && waitForTarget >= 0)) {
    throw wrong("The waitForTarget of a call must be a number of milliseconds from 0 on", waitForTarget);
  }
}

/** Checks the arguments of an event, as `assertCall` does for a call. */
export function assertEvent(topic: unknown, { sender, signal }: MessageOptions): void {
  if (!(topic instanceof TopicId) && !hasTexts(topic, "type", "source")) {
    const hint = 'new TopicId("orders", "lisbon") or TopicId.parse("orders/lisbon")';
    throw wrong(`The topic of an event must be a TopicId, ${hint}`, topic);
  }
  if (sender !== undefined) assertAgentId(sender, "sender");
  if (signal !== undefined) assertSignal(signal);
}

/** Checks an agent id; `role` names it in the error. */
export function assertAgentId(id: unknown, role: string): void {
  // An id from another copy of this package is valid too.
  if (id instanceof AgentId || hasTexts(id, "type", "key")) return;
  throw wrong(`The ${role} must be an AgentId, new AgentId("greeter", "ada") or AgentId.parse("greeter/ada")`, id);
}

export function assertSubscription(subscription: unknown): void {
  const isOne =
    hasTexts(subscription, "id") &&
    ["isMatch", "mapToAgent", "equals"].every((name) => typeof Reflect.get(Object(subscription), name) === "function");
  if (!isOne)
    throw wrong(
      'The subscription must be a Subscription, such as new TypeSubscription("orders", "clerk")',
      subscription,
    );
}

/** Checks the state that an agent or a runtime should load. */
export function assertAgentState(state: unknown): void {
  if (typeof state === "object" && state !== null && !Array.isArray(state)) return;
  throw wrong("The state to load must be an object, as saveState returns it", state);
}

/** Throws `invalid-argument` for a value that is not an `AbortSignal`. */
export function assertSignal(signal: unknown): void {
  if (signal instanceof AbortSignal) return;
  if (signal instanceof CancellationToken) throw wrong("A signal is an AbortSignal: pass `token.signal`", signal);
  if (typeof signal === "object" && signal !== null && "addEventListener" in signal && "aborted" in signal) return;
  throw wrong("The signal must be an AbortSignal: pass `controller.signal`", signal);
}

function hasTexts(value: unknown, ...names: readonly string[]): boolean {
  return (
    typeof value === "object" && value !== null && names.every((name) => typeof Reflect.get(value, name) === "string")
  );
}

function wrong(expected: string, value: unknown): TroupeError {
  return new TroupeError("invalid-argument", `${expected}, not ${describe(value)}.`);
}
