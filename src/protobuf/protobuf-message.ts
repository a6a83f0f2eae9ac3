import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type Any, AnySchema, anyPack } from "@bufbuild/protobuf/wkt";
import { type Answers, errorText, type MessageType, protobufContentType, TroupeError } from "../core/internal.ts";

export interface ProtobufMessageOptions<Answer> {
  /** The type that answers a call with this message. Default: none is promised. */
  readonly answer?: MessageType<Answer> | undefined;
  /**
   * The name it is sent under. Default: the full name. AutoGen before 0.4.6 knows protobuf messages by the last part
   * alone (`StringValue`): declare them so for such peers. What arrives is read under either name.
   */
  readonly typeName?: string | undefined;
}

/** A message type of protobuf. Its values are those of protobuf-es, however they were made. */
export interface ProtobufMessageType<Desc extends DescMessage, Answer = unknown>
  extends MessageType<MessageShape<Desc>, Answer> {
  /** Makes a value as protobuf-es's own `create` does, and types what answers a call with it. */
  create(fields?: MessageInitShape<Desc>): MessageShape<Desc> & Answers<Answer>;
}

/**
 * Declares messages made from a schema that protobuf-es generated. The wire name is the message's full name, unless
 * another is given; the bytes are those of a `google.protobuf.Any` around it (protocol.md §4.1).
 */
export function protobufMessage<Desc extends DescMessage, Answer = unknown>(
  schema: Desc,
  options: ProtobufMessageOptions<Answer> = {},
): ProtobufMessageType<Desc, Answer> {
  if (typeof schema?.typeName !== "string") {
    const hint = "Import it from what protoc-gen-es made: protobufMessage(ForecastSchema).";
    throw new TroupeError("invalid-argument", `A protobuf message type needs the schema of a message. ${hint}`);
  }
  const { typeName: fullName } = schema;
  const { typeName = fullName } = options;
  return {
    typeName,
    contentType: protobufContentType,
    identity: { by: "tag", property: "$typeName", value: fullName },
    answer: options.answer,
    // The mark of the answer is there for the compiler only.
    create: (fields) => create(schema, fields) as MessageShape<Desc> & Answers<Answer>,
    is: (value): value is MessageShape<Desc> =>
      typeof value === "object" && value !== null && "$typeName" in value && value.$typeName === fullName,
    serialize: (value) => attempt(fullName, "written", () => toBinary(AnySchema, anyPack(schema, value))),
    // Fields of bytes are views of what they are read from: of a copy, so that they don't hold the network's buffer.
    deserialize: (bytes) =>
      attempt(fullName, "read", () => unpack(schema, fromBinary(AnySchema, new Uint8Array(bytes)))),
  };
}

function unpack<Desc extends DescMessage>(schema: Desc, any: Any): MessageShape<Desc> {
  // Only what follows the last slash names the type: senders differ in the prefix.
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
