import { AgentId } from "../agents/agent-id.ts";
import { CancellationToken } from "../cancellation-token.ts";
import { TroupeError } from "../errors.ts";
import { type NumberRange, wrongValue } from "./option-values.ts";

/** A kind of values for an option. */
export interface OptionKind {
  /** Ends the sentence "The option x must be …" in an error. */
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
  /** Checks what is inside an accepted value. Throws an error that names the option. */
  readonly assertInside?: ((value: object, name: string) => void) | undefined;
  /** Throws a better error than the usual one for some wrong values. `subject` names the value, and begins its text. */
  readonly refuse?: ((value: unknown, subject: string) => void) | undefined;
}

/** A number within the range. It does not accept NaN. */
export function number({ from, to = Number.POSITIVE_INFINITY }: NumberRange): OptionKind {
  const limits = to === Number.POSITIVE_INFINITY ? `of at least ${from}` : `from ${from} to ${to}`;
  return {
    expected: `a number ${limits}`,
    accepts: (value) => typeof value === "number" && value >= from && value <= to,
  };
}

/** Milliseconds; none are left when the number is below 1. */
export const milliseconds: OptionKind = {
  expected: "a number of milliseconds",
  accepts: (value) => typeof value === "number" && !Number.isNaN(value),
};

export const flag: OptionKind = { expected: "true or false", accepts: (value) => typeof value === "boolean" };

export const text: OptionKind = { expected: "a text", accepts: (value) => typeof value === "string" };

export const callable: OptionKind = { expected: "a function", accepts: (value) => typeof value === "function" };

/** A value that its user checks. */
export const anything: OptionKind = { expected: "anything", accepts: () => true };

export const fields: OptionKind = { expected: "an object", accepts: isObject };

export function word(...words: readonly string[]): OptionKind {
  return {
    expected: words.map((one) => `"${one}"`).join(" or "),
    accepts: (value) => words.some((one) => one === value),
  };
}

export const signal: OptionKind = {
  expected: "an AbortSignal, such as `controller.signal`",
  accepts: (value) => isObject(value) && "addEventListener" in value && "aborted" in value,
  refuse: assertSignal,
};

/** Throws `invalid-argument` for a value that is not an `AbortSignal`. */
export function assertSignal(value: unknown): void {
  if (value instanceof AbortSignal) return;
  if (value instanceof CancellationToken) throw wrongValue("A signal is an AbortSignal: pass `token.signal`", value);
  if (signal.accepts(value)) return;
  throw wrongValue("The signal must be an AbortSignal: pass `controller.signal`", value);
}

/** An object with these methods: a port, or a value of a class. `what` names it with its article. */
export function withMethods(what: string, ...methods: readonly string[]): OptionKind {
  const named = methods.length === 1 ? `the method ${methods[0]}` : `the methods ${methods.join(", ")}`;
  return { expected: `${what} with ${named}`, accepts: (value) => hasMethods(value, ...methods) };
}

export const logger = withMethods("a logger", "debug", "info", "warn", "error");

export const clock = withMethods("a clock", "now", "wallNow", "setTimer");

export const stateStore = withMethods("a state store, such as new MemoryStateStore(),", "open", "load", "commit");

export const agentId: OptionKind = {
  expected: 'an AgentId, such as new AgentId("greeter", "ada")',
  accepts: (value) => value instanceof AgentId || hasTexts(value, "type", "key"),
};

export const subscription: OptionKind = {
  expected: 'a Subscription, such as new TypeSubscription("orders", "clerk")',
  accepts: (value) => hasTexts(value, "id") && hasMethods(value, "isMatch", "mapToAgent", "equals"),
};

export const messageType: OptionKind = {
  expected: "a message type, which defineMessage, classMessage or protobufMessage make",
  accepts: (value) => hasMethods(value, "serialize") && hasTexts(value, "typeName"),
};

/** A list whose items are all of a kind. */
export function listOf(kind: OptionKind): OptionKind {
  return {
    expected: `a list; each of its items is ${kind.expected}`,
    accepts: (value) => Array.isArray(value) && value.every((item) => kind.accepts(item)),
    assertInside: (value, name) => assertItemsInside(value, name, kind),
    refuse: (value, subject) => {
      refuseSingle(value, subject, kind);
      refuseItem(value, subject, kind);
    },
  };
}

/** A value of the kind, or a list of such values. */
export function oneOrMany(kind: OptionKind): OptionKind {
  return {
    expected: `${kind.expected}, or a list of such`,
    accepts: (value) => (Array.isArray(value) ? value.every((item) => kind.accepts(item)) : kind.accepts(value)),
    assertInside: (value, name) => assertItemsInside(value, name, kind),
    refuse: (value, subject) =>
      Array.isArray(value) ? refuseItem(value, subject, kind) : kind.refuse?.(value, subject),
  };
}

function assertItemsInside(value: object, name: string, kind: OptionKind): void {
  const { assertInside } = kind;
  if (assertInside === undefined) return;
  if (!Array.isArray(value)) return assertInside(value, name);
  for (const [at, item] of value.entries()) {
    if (typeof item === "object" && item !== null) assertInside(item, `${name}[${at}]`);
  }
}

/** Throws for a value that would do as an item of the list. */
function refuseSingle(value: unknown, subject: string, kind: OptionKind): void {
  if (Array.isArray(value) || !kind.accepts(value)) return;
  throw new TroupeError("invalid-argument", `${subject} must be a list. Put the value into one: [value].`);
}

/** Throws for the first item of a list that is not of the kind. */
function refuseItem(list: unknown, subject: string, kind: OptionKind): void {
  if (!Array.isArray(list)) return;
  const at = list.findIndex((item) => !kind.accepts(item));
  if (at < 0) return;
  const name = `${subject}[${at}]`;
  kind.refuse?.(list[at], name);
  throw wrongValue(`${name} must be ${kind.expected}`, list[at]);
}

export function hasMethods(value: unknown, ...names: readonly string[]): boolean {
  if (!isObject(value) && typeof value !== "function") return false;
  return names.every((name) => typeof Reflect.get(value, name) === "function");
}

export function hasTexts(value: unknown, ...names: readonly string[]): boolean {
  if (!isObject(value) && typeof value !== "function") return false;
  return names.every((name) => typeof Reflect.get(value, name) === "string");
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
