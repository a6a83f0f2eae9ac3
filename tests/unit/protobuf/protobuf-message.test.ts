import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Any, AnySchema, BytesValueSchema, DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { AgentId, type MessageOf, protobufContentType, RoutedAgent, rpc } from "troupe";
import { protobufMessage } from "troupe/protobuf";
import { describe, expect, test } from "vitest";
import { CodecRegistry, messageTypeText } from "../../../src/core/internal.ts";
import { bound, contextOf } from "../core/agents/recording-runtime.ts";

const Duration = protobufMessage(DurationSchema);
const Timestamp = protobufMessage(TimestampSchema, { answer: Duration });

describe("a protobuf message type", () => {
  const value = create(DurationSchema, { seconds: 5n, nanos: 7 });

  test("travels as the bytes of an Any with the full name", () => {
    const encoded = new CodecRegistry([Duration]).encode(value);
    expect(encoded).toMatchObject({ typeName: "google.protobuf.Duration", contentType: protobufContentType });
    const any = fromBinary(AnySchema, encoded.data);
    expect(any.typeUrl).toBe("type.googleapis.com/google.protobuf.Duration");
    expect(fromBinary(DurationSchema, any.value)).toEqual(value);
    expect(messageTypeText(value)).toBe("google.protobuf.Duration");
  });

  test("reads any prefix before the last slash, and refuses another type", () => {
    const packed = (typeUrl: string, inner = toBinary(DurationSchema, value)) => {
      const any: Any = create(AnySchema, { typeUrl, value: inner });
      return toBinary(AnySchema, any);
    };
    expect(Duration.deserialize(packed("example.org/x/google.protobuf.Duration"))).toEqual(value);
    expect(Duration.deserialize(packed("google.protobuf.Duration"))).toEqual(value);
    expect(() => Duration.deserialize(packed("type.googleapis.com/google.protobuf.Timestamp"))).toThrow(
      expect.objectContaining({
        code: "invalid-message",
        message: "google.protobuf.Duration can't be read as protobuf: it holds a google.protobuf.Timestamp",
      }),
    );
    expect(() => Duration.deserialize(Uint8Array.of(0xff))).toThrow("google.protobuf.Duration can't be read");
  });

  test("needs a schema", () => {
    expect(() => protobufMessage(undefined as never)).toThrow("needs the schema of a message");
  });

  test("makes values as protobuf-es does, that type their call", () => {
    const made = Timestamp.create({ seconds: 5n });
    expect(made).toEqual(create(TimestampSchema, { seconds: 5n }));
    expect(Timestamp.is(made)).toBe(true);
    expect(Duration.create()).toEqual(create(DurationSchema));
  });

  test("a field of bytes is a plain array apart from the network's buffer", () => {
    const Bytes = protobufMessage(BytesValueSchema);
    const { data } = new CodecRegistry([Bytes]).encode(create(BytesValueSchema, { value: Uint8Array.of(1, 2, 3) }));
    const chunk = Buffer.concat([Buffer.alloc(10_000), data]);
    const read = Bytes.deserialize(chunk.subarray(10_000));
    expect(read.value).toEqual(Uint8Array.of(1, 2, 3));
    expect(read.value.constructor).toBe(Uint8Array);
    expect(read.value.buffer.byteLength).toBeLessThan(100);
  });

  test("is found among other tagged types, and routes to its handler", () => {
    class Clockwork extends RoutedAgent {
      @rpc(Timestamp)
      since(timestamp: MessageOf<typeof Timestamp>) {
        return create(DurationSchema, { seconds: timestamp.seconds });
      }
      @rpc(Duration)
      twice(duration: MessageOf<typeof Duration>) {
        return duration.seconds * 2n;
      }
    }
    const agent = bound(new Clockwork(""));
    expect(String(agent.id)).toBe(String(new AgentId("test", "default")));
    expect(agent.onMessage(create(TimestampSchema, { seconds: 3n }), contextOf())).toMatchObject({ seconds: 3n });
    expect(agent.onMessage(value, contextOf())).toBe(10n);
    const registry = new CodecRegistry([Timestamp, Duration]);
    expect(registry.typeOf(value)).toBe(Duration);
    expect(registry.typeOf(create(TimestampSchema))).toBe(Timestamp);
  });
});
