import type { ClassOf } from "../agents/agent.ts";
import { TroupeError } from "../errors.ts";
import { decodeJson, encodeJson, nativeJson } from "./json-codec.ts";
import { assertMessageType, jsonContentType, type MessageType } from "./message-type.ts";

export interface ClassMessageOptions<T, Answer> {
  /** The type that answers a call with this message. Default: none is promised. */
  readonly answer?: MessageType<Answer> | undefined;
  /** Builds the instance from parsed JSON. Default: its fields are assigned without calling the constructor. */
  readonly fromJson?: ((json: unknown) => T) | undefined;
  /** What is written as JSON. Default: the instance's own fields. */
  readonly toJson?: ((value: T) => unknown) | undefined;
}

/**
 * Declares the instances of a class as messages, under an explicit name on the wire. Exact instances only: one of a
 * subclass is another type. Give `fromJson` when the class has private fields or checks its arguments (protocol.md §4.5).
 */
export function classMessage<T extends object, Answer = unknown>(
  typeName: string,
  messageClass: ClassOf<T>,
  options: ClassMessageOptions<T, Answer> = {},
): MessageType<T, Answer> {
  if (typeName === "") throw new TroupeError("invalid-argument", "A message type needs a name.");
  if (typeof messageClass !== "function") {
    throw new TroupeError(
      "invalid-argument",
      `The class of ${typeName} has to be a class; for a schema there is defineMessage.`,
    );
  }
  if (options.answer !== undefined) assertMessageType(options.answer, `The answer of ${typeName}`);
  const prototype: T = messageClass.prototype;
  const toJson = options.toJson ?? ((value: T): unknown => value);
  const fromJson = options.fromJson ?? ((json: unknown): T => assignFields(typeName, prototype, json));
  return {
    typeName,
    contentType: jsonContentType,
    identity: { by: "prototype", prototype },
    answer: options.answer,
    is: (value): value is T =>
      typeof value === "object" && value !== null && Object.getPrototypeOf(value) === prototype,
    serialize: (value) => encodeJson(nativeJson, typeName, toJson(value)),
    deserialize: (bytes) => fromJson(decodeJson(nativeJson, typeName, bytes)),
  };
}

function assignFields<T extends object>(typeName: string, prototype: T, json: unknown): T {
  if (typeof json !== "object" || json === null || Array.isArray(json) || Object.hasOwn(json, "__proto__")) {
    throw new TroupeError("invalid-message", `Not a valid ${typeName}: expected an object with named fields.`);
  }
  return Object.assign(Object.create(prototype), json);
}
