import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Message, MessageSchema } from "../../../src/protocol/gen/agent_worker_pb.ts";
import {
  type PeekedFrame,
  peekFrame,
  requestIdBytes,
  requestIdText,
  withRequestId,
} from "../../../src/protocol/index.ts";

type MessageInit = MessageInitShape<typeof MessageSchema>;

const text = fc.string({ unit: "binary", maxLength: 60 });
const bytes = fc.uint8Array({ maxLength: 200 });
const agentId = fc.record({ type: text, key: text });
const payload = fc.record({ dataType: text, dataContentType: text, data: bytes });
const metadata = fc
  .dictionary(
    fc.oneof(
      text,
      fc.constantFrom(
        "agtimeoutms",
        "agpath",
        "agdepth",
        "agepoch",
        "agmail",
        "agattempt",
        "agreminder",
        "agprincipal",
        "agidempotency",
      ),
    ),
    fc.oneof(text, fc.constantFrom("500", "0", "-1", "1e3")),
  )
  // protobuf-es keeps maps as plain objects, and this key does not survive in one.
  .map(({ __proto__: _lost, ...rest }) => rest);
const attribute = fc.oneof(
  text.map((value) => ({ attr: { case: "ceString" as const, value } })),
  fc.integer({ min: -5, max: 2 ** 31 - 1 }).map((value) => ({ attr: { case: "ceInteger" as const, value } })),
  fc.boolean().map((value) => ({ attr: { case: "ceBoolean" as const, value } })),
  bytes.map((value) => ({ attr: { case: "ceBytes" as const, value } })),
  fc
    .bigInt({ min: 0n, max: 2n ** 40n })
    .map((seconds) => ({ attr: { case: "ceTimestamp" as const, value: { seconds } } })),
  fc.constant({ attr: { case: undefined } }),
);
const data = fc.oneof(
  bytes.map((value) => ({ case: "binaryData" as const, value })),
  text.map((value) => ({ case: "textData" as const, value })),
  fc.record({ typeUrl: text, value: bytes }).map((value) => ({ case: "protoData" as const, value })),
  fc.constant({ case: undefined }),
);

const request: fc.Arbitrary<MessageInit> = fc
  .record({ requestId: text, source: agentId, target: agentId, method: text, payload, metadata }, { requiredKeys: [] })
  .map((value) => ({ message: { case: "request", value } }));
const response: fc.Arbitrary<MessageInit> = fc
  .record({ requestId: text, payload, error: text, metadata }, { requiredKeys: [] })
  .map((value) => ({ message: { case: "response", value } }));
const event: fc.Arbitrary<MessageInit> = fc
  .record({
    id: text,
    source: text,
    specVersion: text,
    type: text,
    attributes: fc.dictionary(text, attribute).map(({ __proto__: _lost, ...rest }) => rest),
    data,
  })
  .map((value) => ({ message: { case: "cloudEvent", value } }));

const message = fc.oneof(request, response, event);

function encode(init: MessageInit): Uint8Array {
  return toBinary(MessageSchema, create(MessageSchema, init));
}

/** The copy makes plain arrays of all bytes in it, whatever they were a view of. */
function decode(frame: Uint8Array): Message {
  return fromBinary(MessageSchema, Uint8Array.from(frame));
}

/** What the generated code sees of the fields that the host routes by. */
function routingOf({ message }: Message): object {
  switch (message.case) {
    case "request": {
      const { requestId, target, metadata } = message.value;
      const own = metadata.agtimeoutms ?? "";
      const hasPath = metadata.agpath !== undefined || metadata.agdepth !== undefined;
      const isTold = metadata.agdelivery !== undefined;
      const isKeyed = metadata.agidempotency !== undefined;
      const timeoutMs = /^\d{1,15}$/.test(own) && Number(own) > 0 ? Number(own) : undefined;
      const hasHostKeys = ["agepoch", "agmail", "agattempt", "agreminder", "agprincipal"].some(
        (key) => metadata[key] !== undefined,
      );
      const [targetType, targetKey] = [target?.type, target?.key ?? ""];
      return { kind: "request", requestId, targetType, targetKey, timeoutMs, hasPath, hasHostKeys, isTold, isKeyed };
    }
    case "response":
      return { kind: "response", requestId: message.value.requestId };
    case "cloudEvent":
      return { kind: "event", topicType: message.value.type, hasProtoData: message.value.data.case === "protoData" };
    default:
      return { kind: "other" };
  }
}

function routingOfPeek(peeked: PeekedFrame): object {
  switch (peeked.kind) {
    case "request": {
      const { kind, targetType, targetKey, timeoutMs, hasPath, hasHostKeys, isTold, isKeyed } = peeked;
      return {
        ...{ kind, requestId: requestIdText(peeked) },
        ...{ targetType, targetKey, timeoutMs, hasPath, hasHostKeys, isTold, isKeyed },
      };
    }
    case "response":
      return { kind: "response", requestId: requestIdText(peeked) };
    case "event":
      return { kind: "event", topicType: peeked.topicType, hasProtoData: peeked.hasProtoData };
    case "bad":
      return { kind: "bad" };
    default:
      return { kind: "other" };
  }
}

describe("peeking at raw frames", () => {
  it("reads the routing fields as the generated code does, and leaves the bytes alone", () => {
    fc.assert(
      fc.property(message, (init) => {
        const frame = encode(init);
        const peeked = peekFrame(frame);
        expect(routingOfPeek(peeked)).toEqual(routingOf(decode(frame)));
        if (peeked.kind === "request" || peeked.kind === "response" || peeked.kind === "event") {
          expect(peeked.bytes).toBe(frame);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("replaces the request id and nothing else, and puts the first one back to the same bytes", () => {
    fc.assert(
      fc.property(fc.oneof(request, response), text, (init, id) => {
        const frame = encode(init);
        const peeked = peekFrame(frame);
        if (peeked.kind !== "request" && peeked.kind !== "response") throw new Error(peeked.kind);
        const renamed = withRequestId(peeked, new TextEncoder().encode(id));
        const expected = decode(frame);
        if (expected.message.case === "request" || expected.message.case === "response") {
          expected.message.value.requestId = id;
        }
        expect(decode(renamed)).toEqual(expected);
        const again = peekFrame(renamed);
        if (again.kind !== "request" && again.kind !== "response") throw new Error(again.kind);
        expect(Buffer.from(withRequestId(again, requestIdBytes(peeked))).equals(frame)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("agrees with the generated code on a message that comes in two pieces", () => {
    // Protobuf merges a message that comes in several pieces: cutting one in two and joining the encodings is the same message.
    fc.assert(
      fc.property(request, request, (one, two) => {
        const frame = Buffer.concat([encode(one), encode(two)]);
        const merged = decode(frame);
        const peeked = peekFrame(frame);
        expect(routingOfPeek(peeked)).toEqual(routingOf(merged));
        if (peeked.kind !== "request") throw new Error(peeked.kind);
        expect(decode(peeked.bytes)).toEqual(merged);
      }),
      { numRuns: 200 },
    );
  });

  it("finds the last of several request ids, and overrules them all", () => {
    fc.assert(
      fc.property(text, text, text, (first, last, other) => {
        const idField = (id: string) => encodeField(0x0a, new TextEncoder().encode(id));
        const body = Buffer.concat([idField(first), encodeField(0x1a, Buffer.from("0a0161", "hex")), idField(last)]);
        const peeked = peekFrame(encodeField(0x0a, body));
        if (peeked.kind !== "request") throw new Error(peeked.kind);
        expect(requestIdText(peeked)).toBe(last);
        const renamed = peekFrame(withRequestId(peeked, new TextEncoder().encode(other)));
        expect(routingOfPeek(renamed)).toMatchObject({ requestId: other, targetType: "a" });
      }),
    );
  });

  it("never throws on damaged bytes, and what it lets pass can be parsed", () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 });
    fc.assert(
      fc.property(message, damage, fc.nat(), (init, changes, cut) => {
        const frame = Uint8Array.from(encode(init));
        for (const [at, value] of changes) if (frame.length > 0) frame[at % frame.length] = value;
        const damaged = changes.length % 2 === 0 ? frame : frame.subarray(0, cut % (frame.length + 1));
        const peeked = peekFrame(damaged);
        if (peeked.kind === "request" || peeked.kind === "response" || peeked.kind === "event") {
          expect(routingOfPeek(peeked)).toEqual(routingOf(decode(peeked.bytes)));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("never throws on arbitrary bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (frame) => {
        expect(peekFrame(frame).kind).toBeTypeOf("string");
      }),
      { numRuns: 2_000 },
    );
  });
});

function encodeField(tag: number, value: Uint8Array): Uint8Array {
  const length: number[] = [];
  let rest = value.length;
  for (; rest >= 0x80; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([tag, ...length, rest]), value]);
}
