import {
  classMessage,
  defineMessage,
  FunctionCall,
  FunctionExecutionResult,
  jsonContentType,
  type MessageType,
  protobufContentType,
  UnknownPayload,
  unknownPayloadMessage,
} from "troupe";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { CodecRegistry } from "../../../../src/core/internal.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

const Answer = defineMessage("Answer", z.object({ n: z.number() }));
const Ask = defineMessage("Ask", z.object({ q: z.string() }), { answer: Answer });

class Point {
  readonly #secret = 1;
  readonly x: number;
  readonly y: number;
  constructor(x: number, y: number) {
    this.x = x;
    this.y = y;
  }
  secret() {
    return this.#secret;
  }
}
class Point3 extends Point {}
const PointMessage = classMessage("geometry.Point", Point, {
  fromJson: (json) => {
    const { x, y } = z.object({ x: z.number(), y: z.number() }).parse(json);
    return new Point(x, y);
  },
});

class Plain {
  readonly a: number = 1;
  double() {
    return this.a * 2;
  }
}

describe("a codec registry", () => {
  test("writes marked messages without having been told of them", () => {
    const registry = new CodecRegistry();
    const encoded = registry.encode(Ask({ q: "why" }));
    expect(encoded).toMatchObject({ typeName: "Ask", contentType: "application/json" });
    expect(text(encoded.data)).toBe('{"q":"why"}');
  });

  test("reads calls of tools and their results without having been told of them", () => {
    const registry = new CodecRegistry();
    for (const message of [
      FunctionCall({ id: "c1", name: "weather", arguments: "{}" }),
      FunctionExecutionResult({ call_id: "c1", name: "weather", content: "sunny", is_error: false }),
    ]) {
      const { typeName, contentType, data } = registry.encode(message);
      expect(new CodecRegistry().decode(typeName, contentType, data)).toEqual(message);
    }
  });

  test("knows the answer's type once a message is written", () => {
    const registry = new CodecRegistry();
    expect(registry.has("Answer", jsonContentType)).toBe(false);
    registry.encode(Ask({ q: "why" }));
    expect(registry.decode("Answer", jsonContentType, bytes('{"n": 1}'))).toBeInstanceOf(Answer);
  });

  test("reads what it was told of and gives the rest as UnknownPayload", () => {
    const registry = new CodecRegistry([Ask]);
    expect(registry.decode("Ask", jsonContentType, bytes('{"q": "x"}'))).toBeInstanceOf(Ask);
    const data = bytes("?");
    expect(registry.decode("Other", jsonContentType, data)).toEqual(new UnknownPayload("Other", jsonContentType, data));
    expect(registry.decode("Ask", protobufContentType, data)).toEqual(
      new UnknownPayload("Ask", protobufContentType, data),
    );
  });

  test("an unknown payload has bytes of its own, not the network's buffer that they came in", () => {
    const chunk = Buffer.from("other frames, the payload, other frames");
    const message = new CodecRegistry().decode("Foreign", "application/x-foreign", chunk.subarray(14, 25));
    if (!(message instanceof UnknownPayload)) throw new Error("expected an UnknownPayload");
    expect(text(message.payload)).toBe("the payload");
    expect(message.payload.constructor).toBe(Uint8Array);
    expect(message.payload.buffer.byteLength).toBe(11);
  });

  test("compares content types without parameters and case", () => {
    const registry = new CodecRegistry([Ask]);
    for (const contentType of ["application/json; charset=utf-8", "Application/JSON", " application/json ;x=y"]) {
      expect(registry.decode("Ask", contentType, bytes('{"q":"x"}'))).toBeInstanceOf(Ask);
      expect(registry.has("Ask", contentType)).toBe(true);
    }
  });

  test("writes nothing as NoneType and null, and reads it back as undefined", () => {
    const registry = new CodecRegistry();
    for (const nothing of [undefined, null]) {
      const encoded = registry.encode(nothing);
      expect(encoded).toMatchObject({ typeName: "NoneType", contentType: "application/json" });
      expect(text(encoded.data)).toBe("null");
    }
    expect(registry.decode("NoneType", "application/json", bytes("null"))).toBeUndefined();
  });

  test("writes and reads exact instances of declared classes", () => {
    const registry = new CodecRegistry([PointMessage]);
    const encoded = registry.encode(new Point(1, 2));
    expect(encoded.typeName).toBe("geometry.Point");
    const decoded = registry.decode(encoded.typeName, encoded.contentType, encoded.data);
    expect(decoded).toEqual(new Point(1, 2));
    expect(decoded instanceof Point && decoded.secret()).toBe(1);
    expect(() => registry.encode(new Point3(1, 2))).toThrow("Unknown type Point3");
  });

  test("by default a class is written with all its own fields, also those that the other side does not expect", () => {
    class Note {
      readonly content = "x";
      readonly cached = 1;
    }
    expect(text(classMessage("Note", Note).serialize(new Note()))).toBe('{"content":"x","cached":1}');
  });

  test("by default the fields of a class are assigned without its constructor", () => {
    const PlainMessage = classMessage("Plain", Plain);
    const decoded = PlainMessage.deserialize(bytes('{"a": 4}'));
    expect(decoded.double()).toBe(8);
    expect(PlainMessage.is(decoded)).toBe(true);
    expect(() => PlainMessage.deserialize(bytes("[]"))).toThrow("Not a valid Plain");
    expect(() => classMessage("", Plain)).toThrow("needs a name");
  });

  test("may write a class in its own way", () => {
    const Compact = classMessage("Plain", Plain, { toJson: ({ a }) => ({ only: a }) });
    expect(text(Compact.serialize(new Plain()))).toBe('{"only":1}');
  });

  test("says how to declare what it can't write", () => {
    const registry = new CodecRegistry();
    const encode = (value: unknown) => () => registry.encode(value);
    expect(encode({ ...Ask({ q: "" }) })).toThrow(
      expect.objectContaining({
        code: "invalid-message",
        message: expect.stringMatching(/^Unknown type Object: .*defineMessage/),
      }),
    );
    expect(encode("text")).toThrow("Unknown type string");
    expect(encode(Object.create(null))).toThrow("Unknown type object");
  });

  test("a later type of the same name and content type replaces the earlier", () => {
    const Newer = defineMessage("Ask", z.object({ q: z.string(), more: z.string().default("new") }));
    const registry = new CodecRegistry([Ask]);
    registry.add(Newer);
    expect(registry.decode("Ask", jsonContentType, bytes('{"q":"x"}'))).toEqual({ q: "x", more: "new" });
  });

  test("of a class with two content types, the preferred one is written, else the newest", () => {
    const asJson = classMessage("Plain", Plain);
    const asBytes: MessageType<Plain> = {
      ...asJson,
      contentType: protobufContentType,
      serialize: ({ a }) => Uint8Array.of(a),
      deserialize: () => new Plain(),
    };
    const registry = new CodecRegistry([asJson, asBytes]);
    expect(registry.encode(new Plain(), jsonContentType).contentType).toBe(jsonContentType);
    expect(registry.encode(new Plain(), protobufContentType).data).toEqual(Uint8Array.of(1));
    expect(registry.encode(new Plain()).contentType).toBe(protobufContentType);
    expect(registry.encode(Ask({ q: "" }), protobufContentType).contentType).toBe(jsonContentType);
  });

  test("sends an UnknownPayload on as it came", () => {
    const foreign = new UnknownPayload("Foreign", "application/x-foreign", Uint8Array.of(1, 2));
    const expected = { typeName: "Foreign", contentType: "application/x-foreign", data: Uint8Array.of(1, 2) };
    expect(new CodecRegistry().encode(foreign)).toEqual(expected);
    expect(new CodecRegistry([unknownPayloadMessage]).encode(foreign)).toEqual(expected);
  });
});

describe("the built-in messages", () => {
  test("a FunctionCall is what Python's dataclass writes and reads", () => {
    const call = FunctionCall.deserialize(bytes('{"id": "1", "arguments": "{\\"a\\": 1}", "name": "add"}'));
    expect(call).toEqual({ id: "1", arguments: '{"a": 1}', name: "add" });
    expect(text(FunctionCall.serialize(call))).toBe('{"id":"1","arguments":"{\\"a\\": 1}","name":"add"}');
    expect(() => FunctionCall.deserialize(bytes('{"id": 1}'))).toThrow(
      "Not a valid FunctionCall: id: expected text; arguments: expected text; name: expected text",
    );
    expect(FunctionCall.answer).toBe(FunctionExecutionResult);
  });

  test("a FunctionExecutionResult fills in what AutoGen 0.4.0 leaves out", () => {
    const result = FunctionExecutionResult.deserialize(bytes('{"content":"4","call_id":"1"}'));
    expect(result).toEqual({ content: "4", call_id: "1", name: "", is_error: null });
    expect(text(FunctionExecutionResult.serialize(result))).toBe(
      '{"content":"4","name":"","call_id":"1","is_error":null}',
    );
  });
});
