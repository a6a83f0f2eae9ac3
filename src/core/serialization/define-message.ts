import type { StandardSchemaV1 } from "@standard-schema/spec";
import { TroupeError } from "../errors.ts";
import { decodeJson, encodeJson, type JsonCodec, nativeJson } from "./json-codec.ts";
import { brandOf } from "./message-index.ts";
import { assertMessageType, type Branded, jsonContentType, type MessageType, messageTypeKey } from "./message-type.ts";
import { assertSchema, validateNow } from "./standard-schema.ts";

/** A schema of any Standard Schema library whose values are objects. */
export type MessageSchema = StandardSchemaV1<unknown, object>;

export interface DefineMessageOptions<Answer> {
  /** The type that answers a call with this message; types the result of `sendMessage`. Default: none is promised. */
  readonly answer?: MessageType<Answer> | undefined;
  /** How the JSON text is read and written. Default: the language's own JSON, refusing what it would lose. */
  readonly json?: JsonCodec | undefined;
}

/** The values of a message made by `defineMessage`: the schema's output, marked with its wire name and answer. */
export type DefinedMessage<Name extends string, Fields, Answer> = Fields & Branded<Name, Answer>;

/** A message type that makes its own values: `Greeting({ content: "hi" })`. Knows them with `instanceof` too. */
export interface DefinedMessageType<Name extends string, Schema extends MessageSchema, Answer = unknown>
  extends MessageType<DefinedMessage<Name, StandardSchemaV1.InferOutput<Schema>, Answer>, Answer> {
  /** Validates and marks; throws `invalid-message` with the schema's issues. */
  (fields: StandardSchemaV1.InferInput<Schema>): DefinedMessage<Name, StandardSchemaV1.InferOutput<Schema>, Answer>;
  readonly typeName: Name;
  readonly prototype: DefinedMessage<Name, StandardSchemaV1.InferOutput<Schema>, Answer>;
}

/**
 * Declares a message by its name on the wire and a schema (zod, valibot, arktype, …). Values are validated when they
 * are made and when they arrive; the schema must be synchronous and accept its own output. Travels as JSON, so its
 * Python twin is a dataclass or pydantic model of the same name and fields (protocol.md §4).
 */
export function defineMessage<const Name extends string, Schema extends MessageSchema, Answer = unknown>(
  name: Name,
  schema: Schema,
  options: DefineMessageOptions<Answer> = {},
): DefinedMessageType<Name, Schema, Answer> {
  if (name === "") throw new TroupeError("invalid-argument", "A message type needs a name.");
  assertSchema(schema, name);
  if (options.answer !== undefined) assertMessageType(options.answer, `The answer of ${name}`);
  type Value = DefinedMessage<Name, StandardSchemaV1.InferOutput<Schema>, Answer>;
  const json = options.json ?? nativeJson;

  // `new Shape()` gives every value of the type the same hidden class; its prototype carries the mark.
  function Shape(this: object): void {}

  function create(fields: unknown): Value {
    const valid = validateNow(schema, name, fields);
    if (typeof valid !== "object" || valid === null || Array.isArray(valid) || Object.hasOwn(valid, "__proto__")) {
      throw new TroupeError("invalid-message", `Not a valid ${name}: a message is an object with named fields.`);
    }
    return Object.assign(Reflect.construct(Shape, []), valid);
  }

  const type: DefinedMessageType<Name, Schema, Answer> = Object.assign(
    Object.defineProperty(create, "name", { value: name }),
    {
      typeName: name,
      contentType: jsonContentType,
      identity: { by: "brand" } as const,
      answer: options.answer,
      is: (value: unknown): value is Value => brandOf(value)?.typeName === name,
      serialize: (value: Value) => encodeJson(json, name, value),
      deserialize: (bytes: Uint8Array) => create(decodeJson(json, name, bytes)),
    },
  );
  const prototype = Object.create(Object.prototype, {
    constructor: { value: type },
    [messageTypeKey]: { value: type },
  });
  Shape.prototype = prototype;
  Object.defineProperty(create, "prototype", { value: prototype });
  return type;
}
