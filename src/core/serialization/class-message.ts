import type { ClassOf } from "../agents/agent.ts";
import { errorText, TroupeError } from "../errors.ts";
import { assertOptions, optionShape } from "../validation/assert-options.ts";
import { anything, callable, fields } from "../validation/option-kinds.ts";
import { assignFields } from "./assign-fields.ts";
import { decodeJson, encodeJson, nativeJson } from "./json-codec.ts";
import type { JsonSchemaObject } from "./json-schema.ts";
import { assertMessageType, assertName, jsonContentType, type MessageType, type WholeAnswer } from "./message-type.ts";

/** Options of `classMessage`. */
export interface ClassMessageOptions<T, Answer, Chunk = unknown> {
  /** Type of the answer to a call with this message. Default: not declared. */
  readonly answer?: MessageType<Answer> | undefined;
  /** Type of the chunks of an answer that comes in parts. Default: not declared. */
  readonly chunk?: MessageType<Chunk> | undefined;
  /** Returns the chunks that a reader sees of an answer that came without any. Default: the reader sees none then. */
  readonly whole?: WholeAnswer<Answer, Chunk> | undefined;
  /** Creates the instance from parsed JSON. Default: assigns the fields without calling the constructor. */
  readonly fromJson?: ((json: unknown) => T) | undefined;
  /** Returns the value to write as JSON. Default: the instance itself. */
  readonly toJson?: ((value: T) => unknown) | undefined;
  /** JSON Schema (draft 2020-12) of the JSON that `fromJson` takes, for forms of operators. The runtime does not check messages by it. Default: none. */
  readonly jsonSchema?: JsonSchemaObject | undefined;
}

// Answer and chunk have a check of their own, which names the type.
const shape = optionShape<ClassMessageOptions<unknown, unknown>>({
  answer: anything,
  chunk: anything,
  whole: callable,
  fromJson: callable,
  toJson: callable,
  jsonSchema: fields,
});

// protocol.md §4.5
/**
 * Declares the instances of a class as messages with the wire name `typeName`. An instance of a subclass is a different
 * type. Give `fromJson` if the class has private fields or checks its arguments. Throws `invalid-argument` for an empty
 * name, a value that is not a class, or an invalid `answer` or `chunk`.
 *
 * @example
 * ```ts
 * class Order { constructor(readonly item: string, readonly count: number) {} }
 * const OrderMessage = classMessage("Order", Order);
 * runtime.addMessageSerializer(OrderMessage);
 * ```
 */
export function classMessage<T extends object, Answer = unknown, Chunk = unknown>(
  typeName: string,
  messageClass: ClassOf<T>,
  options: ClassMessageOptions<T, Answer, Chunk> = {},
): MessageType<T, Answer, Chunk> {
  assertName(typeName);
  if (typeof messageClass !== "function") {
    throw new TroupeError(
      "invalid-argument",
      `The class of ${typeName} must be a class. For a schema, use defineMessage.`,
    );
  }
  assertOptions(options, shape, "classMessage");
  if (options.answer !== undefined) assertMessageType(options.answer, `The answer of ${typeName}`);
  if (options.chunk !== undefined) assertMessageType(options.chunk, `The chunk of ${typeName}`);
  const prototype: T = messageClass.prototype;
  const { jsonSchema } = options;
  const toJson = options.toJson ?? ((value: T): unknown => value);
  const fromJson = options.fromJson ?? ((json: unknown): T => withFields(typeName, prototype, json));
  return {
    typeName,
    contentType: jsonContentType,
    identity: { by: "prototype", prototype },
    answer: options.answer,
    chunk: options.chunk,
    whole: options.whole,
    jsonSchema: jsonSchema === undefined ? undefined : () => jsonSchema,
    is: (value): value is T =>
      typeof value === "object" && value !== null && Object.getPrototypeOf(value) === prototype,
    serialize: (value) => encodeJson(nativeJson, typeName, shown(typeName, toJson, value)),
    deserialize: (bytes) => made(typeName, fromJson, decodeJson(nativeJson, typeName, bytes)),
  };
}

/** Calls a user's `toJson`. Throws `invalid-message` for what it throws. */
function shown<T>(typeName: string, toJson: (value: T) => unknown, value: T): unknown {
  try {
    return toJson(value);
  } catch (cause) {
    throw asInvalid(cause, `${typeName} can't be written as JSON: ${errorText(cause)}`);
  }
}

/** Calls `fromJson`, or a setter of the class. Throws `invalid-message` for what it throws, and does not quote the content. */
function made<T>(typeName: string, fromJson: (json: unknown) => T, json: unknown): T {
  try {
    return fromJson(json);
  } catch (cause) {
    throw asInvalid(cause, `Not a valid ${typeName}: its class refuses the fields.`);
  }
}

function asInvalid(cause: unknown, text: string): TroupeError {
  return cause instanceof TroupeError ? cause : new TroupeError("invalid-message", text, { cause });
}

function withFields<T extends object>(typeName: string, prototype: T, json: unknown): T {
  if (typeof json !== "object" || json === null || Array.isArray(json) || Object.hasOwn(json, "__proto__")) {
    throw new TroupeError("invalid-message", `Not a valid ${typeName}: expected an object with named fields.`);
  }
  return assignFields(prototype, json);
}
