import { AgentId, type AgentType } from "../agents/agent-id.ts";
import { TroupeError } from "../errors.ts";
import { TopicId } from "../topics/topic-id.ts";
import { hasMethods, hasTexts, type OptionKind, subscription as subscriptionKind } from "./option-kinds.ts";
import { isClass, wrongValue } from "./option-values.ts";

/** Checks the message of a call or an event: none can be sent as nothing. */
export function assertMessage(message: unknown): void {
  if (message !== undefined && message !== null) return;
  const hint = 'For a message without content declare a type without fields: defineMessage("Ping", z.object({})).';
  const text = `The message must be a value of a declared message type, not ${message}. ${hint}`;
  throw new TroupeError("invalid-argument", text);
}

/** Checks the topic of an event. */
export function assertTopic(topic: unknown): asserts topic is Pick<TopicId, "type" | "source"> {
  if (topic instanceof TopicId || hasTexts(topic, "type", "source")) return;
  const hint = 'new TopicId("orders", "lisbon") or TopicId.parse("orders/lisbon")';
  throw wrongValue(`The topic of an event must be a TopicId, ${hint}`, topic);
}

/** Whether it is an agent id, of this copy of the package or another. */
function isAgentId(value: unknown): value is AgentId {
  return value instanceof AgentId || hasTexts(value, "type", "key");
}

/** Returns the id that `AgentRuntime.get` is asked for: an id as it is, of whatever copy of this package, or a type and a key. */
export function agentIdOf(idOrType: AgentId | AgentType | string, key: string): AgentId {
  if (idOrType instanceof AgentId) return idOrType;
  // An id of an older copy has no brand.
  return isAgentId(idOrType) ? new AgentId(idOrType.type, idOrType.key) : new AgentId(idOrType, key);
}

/** Checks an agent id; `role` names it in the error. */
export function assertAgentId(id: unknown, role: string): asserts id is Pick<AgentId, "type" | "key"> {
  if (isAgentId(id)) return;
  throw wrongValue(`The ${role} must be an AgentId, new AgentId("greeter", "ada") or AgentId.parse("greeter/ada")`, id);
}

export function assertSubscription(subscription: unknown): void {
  if (subscriptionKind.accepts(subscription)) return;
  throw wrongValue(`The subscription must be ${subscriptionKind.expected}`, subscription);
}

/** Checks the state that an agent or a runtime should load. */
export function assertAgentState(state: unknown): void {
  if (typeof state === "object" && state !== null && !Array.isArray(state)) return;
  throw wrongValue("The state to load must be an object, as saveState returns it", state);
}

/** Checks the factory of an agent type. It refuses a class. */
export function assertFactory(factory: unknown): void {
  if (typeof factory !== "function") {
    throw wrongValue("The factory must be a function that makes an agent, () => new Writer()", factory);
  }
  if (isClass(factory)) {
    throw wrongValue(`The factory must be a function that makes an agent, () => new ${factory.name}()`, factory);
  }
}

/** Checks the runtime that something is registered in. */
export function assertRuntime(runtime: unknown): void {
  if (hasMethods(runtime, "sendMessage", "registerFactory")) return;
  throw wrongValue("The runtime must be an AgentRuntime, such as new SingleThreadedAgentRuntime()", runtime);
}

/** Checks a text argument; `what` names it with its article. */
export function assertText(value: unknown, what: string): asserts value is string {
  if (typeof value === "string") return;
  throw wrongValue(`${what} must be a text`, value);
}

/** Checks a function argument; `what` names it with its article. */
export function assertFunction(value: unknown, what: string): void {
  if (typeof value === "function") return;
  throw wrongValue(`${what} must be a function`, value);
}

/** Checks an argument of any kind; `what` names it with its article. */
export function assertArgument(value: unknown, what: string, kind: OptionKind): void {
  if (kind.accepts(value)) {
    if (typeof value === "object" && value !== null) kind.assertInside?.(value, what);
    return;
  }
  kind.refuse?.(value, what);
  throw wrongValue(`${what} must be ${kind.expected}`, value);
}

/** Checks that an object of named arguments was given at all; `what` names it with its article. */
export function assertObject(value: unknown, what: string): asserts value is object {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  throw new TroupeError("invalid-argument", `${what} must be an object of named values.`);
}
