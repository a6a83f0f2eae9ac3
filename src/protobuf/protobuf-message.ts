import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type Any, AnySchema, anyPack } from "@bufbuild/protobuf/wkt";
import {
  type Answers,
  assertName,
  assertOptions,
  type Chunks,
  callable,
  errorText,
  type MessageType,
  messageType,
  optionShape,
  protobufContentType,
  TroupeError,
  text,
} from "../core/internal.ts";

/** Options of `protobufMessage`. */
export interface ProtobufMessageOptions<Answer, Chunk = unknown> {
  /** Type of the answer to a call with this message. Default: not declared. */
  readonly answer?: MessageType<Answer> | undefined;
  /** Type of the chunks of an answer that comes in parts. Default: not declared. */
  readonly chunk?: MessageType<Chunk> | undefined;
  /** Returns the chunks that a reader sees of an answer that came without any. Default: the reader sees none then. */
  readonly whole?: ((answer: Answer) => Iterable<Chunk>) | undefined;
  /**
   * Name on the wire. Default: the full name. AutoGen before 0.4.6 uses the last part alone (`StringValue`); give that
   * name for such peers. Incoming messages are decoded under either name.
   */
  readonly typeName?: string | undefined;
}

const shape = optionShape<ProtobufMessageOptions<unknown>>({
  answer: messageType,
  chunk: messageType,
  whole: callable,
  typeName: text,
});

/** A message type for protobuf. Its values are any values of protobuf-es. */
export interface ProtobufMessageType<Desc extends DescMessage, Answer = unknown, Chunk = unknown>
  extends MessageType<MessageShape<Desc>, Answer, Chunk> {
  /** Creates a value as protobuf-es's `create` does, typed with the answer and the chunks of the message. */
  create(fields?: MessageInitShape<Desc>): MessageShape<Desc> & Answers<Answer> & Chunks<Chunk>;
}

// The bytes are those of a `google.protobuf.Any` around the message: protocol.md §4.1.
/**
 * Declares a message type from a schema that protoc-gen-es generated. Its wire name is the full name of the message,
 * unless `typeName` is given. Throws `invalid-argument` for a value that is not a message schema.
 *
 * @example
 * ```ts
 * import { ForecastSchema } from "./gen/weather_pb.ts";
 * const Forecast = protobufMessage(ForecastSchema);
 * await runtime.publishMessage(Forecast.create({ city: "Lisbon" }), new TopicId("weather", "lisbon"));
 * ```
 */
export function protobufMessage<Desc extends DescMessage, Answer = unknown, Chunk = unknown>(
  schema: Desc,
  options: ProtobufMessageOptions<Answer, Chunk> = {},
): ProtobufMessageType<Desc, Answer, Chunk> {
  if (typeof schema?.typeName !== "string") {
    const hint = "Import it from what protoc-gen-es made: protobufMessage(ForecastSchema).";
    throw new TroupeError("invalid-argument", `A protobuf message type needs the schema of a message. ${hint}`);
  }
  assertOptions(options, shape, "protobufMessage");
  const { typeName: fullName } = schema;
  const { typeName = fullName } = options;
  assertName(typeName);
  return {
    typeName,
    contentType: protobufContentType,
    identity: { by: "tag", property: "$typeName", value: fullName },
    answer: options.answer,
    chunk: options.chunk,
    whole: options.whole,
    // The marks of answer and chunks exist for the compiler only.
    create: (fields) => create(schema, fields) as MessageShape<Desc> & Answers<Answer> & Chunks<Chunk>,
    is: (value): value is MessageShape<Desc> =>
      typeof value === "object" && value !== null && "$typeName" in value && value.$typeName === fullName,
    serialize: (value) => attempt(fullName, "written", () => toBinary(AnySchema, anyPack(schema, value))),
    // A copy, because bytes fields are views of their source and would keep the network buffer alive.
    deserialize: (bytes) =>
      attempt(fullName, "read", () => unpack(schema, fromBinary(AnySchema, new Uint8Array(bytes)))),
  };
}

function unpack<Desc extends DescMessage>(schema: Desc, any: Any): MessageShape<Desc> {
  // Only the part after the last slash names the type: senders use different prefixes.
  const packed = any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1);
  if (packed !== schema.typeName) throw new TypeError(`it holds a ${packed || "message without type"}`);
  return fromBinary(schema, any.value);
}

function attempt<T>(typeName: string, done: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    throw new TroupeError("invalid-message", `${typeName} can't be ${done} as protobuf: ${errorText(cause)}`, {
      cause,
    });
  }
}
