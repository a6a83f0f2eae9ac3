import type { StandardSchemaV1 } from "@standard-schema/spec";
import { TroupeError } from "../errors.ts";
import { assertOptions, optionShape } from "../validation/assert-options.ts";
import { anything, callable, withMethods } from "../validation/option-kinds.ts";
import { decodeJson, encodeJson, type JsonCodec, nativeJson } from "./json-codec.ts";
import { jsonSchemaOf } from "./json-schema.ts";
import { brandOf } from "./message-index.ts";
import {
  assertMessageType,
  assertName,
  type Branded,
  jsonContentType,
  type MessageType,
  messageTypeKey,
  type WholeAnswer,
} from "./message-type.ts";
import { assertSchema, validateNow } from "./standard-schema.ts";

/** A schema of any Standard Schema library whose values are objects. */
export type MessageSchema = StandardSchemaV1<unknown, object>;

/** Options of `defineMessage`. */
export interface DefineMessageOptions<Answer, Chunk = unknown> {
  /** Type of the answer to a call with this message; `sendMessage` returns its values. Default: not declared. */
  readonly answer?: MessageType<Answer> | undefined;
  /** Type of the chunks of an answer that comes in parts; `stream` hands out its values. Default: not declared. */
  readonly chunk?: MessageType<Chunk> | undefined;
  /**
   * Returns the chunks that the reader of a stream sees of an answer that came without any. So a loop has something to show, also if the agent
   * does not stream. Default: the reader sees no chunk then.
   */
  readonly whole?: WholeAnswer<Answer, Chunk> | undefined;
  /** Reads and writes the JSON text. Default: JavaScript's JSON, which refuses values that it would change. */
  readonly json?: JsonCodec | undefined;
}

// Answer and chunk have a check of their own, which names the type.
const shape = optionShape<DefineMessageOptions<unknown>>({
  answer: anything,
  chunk: anything,
  whole: callable,
  json: withMethods("a JSON codec, such as pythonJson,", "parse", "stringify"),
});

/** A value made by `defineMessage`: the output of the schema, marked with its wire name, answer and chunks. */
export type DefinedMessage<Name extends string, Fields, Answer, Chunk = unknown> = Fields &
  Branded<Name, Answer, Chunk>;

/** A message type that creates its own values: `Greeting({ content: "hi" })`. `instanceof` recognizes them. */
export interface DefinedMessageType<
  Name extends string,
  Schema extends MessageSchema,
  Answer = unknown,
  Chunk = unknown,
> extends MessageType<DefinedMessage<Name, StandardSchemaV1.InferOutput<Schema>, Answer, Chunk>, Answer, Chunk> {
  /** Validates the fields and creates a value. Throws `invalid-message` with the issues of the schema. */
  (
    fields: StandardSchemaV1.InferInput<Schema>,
  ): DefinedMessage<Name, StandardSchemaV1.InferOutput<Schema>, Answer, Chunk>;
  readonly typeName: Name;
  readonly prototype: DefinedMessage<Name, StandardSchemaV1.InferOutput<Schema>, Answer, Chunk>;
}

// protocol.md §4
/**
 * Declares a message type from its wire name and a schema (zod, valibot, arktype, …).
 *
 * Values are validated when they are created and when they arrive. The schema must be synchronous and accept its own
 * output. Messages travel as JSON: the Python counterpart is a dataclass or pydantic model with the same name and
 * fields. Throws `invalid-argument` for an empty name, a schema that is not a Standard Schema, or an invalid `answer` or `chunk`.
 *
 * @example
 * ```ts
 * const Greeting = defineMessage("Greeting", z.object({ content: z.string() }));
 * const AskToGreet = defineMessage("AskToGreet", z.object({ name: z.string() }), { answer: Greeting });
 * const { content } = await runtime.sendMessage(AskToGreet({ name: "Ada" }), new AgentId("greeter", "default"));
 * ```
 */
export function defineMessage<
  const Name extends string,
  Schema extends MessageSchema,
  Answer = unknown,
  Chunk = unknown,
>(
  name: Name,
  schema: Schema,
  options: DefineMessageOptions<Answer, Chunk> = {},
): DefinedMessageType<Name, Schema, Answer, Chunk> {
  assertName(name);
  return defineNamed(name, schema, options);
}

/** Declares a message type as `defineMessage` does, also one whose name is Troupe's own. */
export function defineNamed<const Name extends string, Schema extends MessageSchema, Answer = unknown, Chunk = unknown>(
  name: Name,
  schema: Schema,
  options: DefineMessageOptions<Answer, Chunk> = {},
): DefinedMessageType<Name, Schema, Answer, Chunk> {
  assertSchema(schema, name);
  assertOptions(options, shape, "defineMessage");
  if (options.answer !== undefined) assertMessageType(options.answer, `The answer of ${name}`);
  if (options.chunk !== undefined) assertMessageType(options.chunk, `The chunk of ${name}`);
  type Value = DefinedMessage<Name, StandardSchemaV1.InferOutput<Schema>, Answer, Chunk>;
  const json = options.json ?? nativeJson;

  // `new Shape()` gives all values of the type one hidden class; its prototype carries the mark.
  function Shape(this: object): void {}

  function create(fields: unknown): Value {
    const valid = validateNow(schema, name, fields);
    if (typeof valid !== "object" || valid === null || Array.isArray(valid) || Object.hasOwn(valid, "__proto__")) {
      throw new TroupeError("invalid-message", `Not a valid ${name}: a message is an object with named fields.`);
    }
    return Object.assign(Reflect.construct(Shape, []), valid);
  }

  const type: DefinedMessageType<Name, Schema, Answer, Chunk> = Object.assign(
    Object.defineProperty(create, "name", { value: name }),
    {
      typeName: name,
      contentType: jsonContentType,
      identity: { by: "brand" } as const,
      answer: options.answer,
      chunk: options.chunk,
      whole: options.whole,
      is: (value: unknown): value is Value => brandOf(value)?.typeName === name,
      serialize: (value: Value) => encodeJson(json, name, value),
      deserialize: (bytes: Uint8Array) => create(decodeJson(json, name, bytes)),
      jsonSchema: () => jsonSchemaOf(schema),
    },
  );
  const prototype = Object.create(Object.prototype, {
    // Writable, so that a field may have this name.
    constructor: { value: type, writable: true, configurable: true },
    [messageTypeKey]: { value: type },
  });
  Shape.prototype = prototype;
  Object.defineProperty(create, "prototype", { value: prototype });
  // Values that another copy of this package has made have another prototype.
  Object.defineProperty(create, Symbol.hasInstance, { value: type.is });
  return type;
}
