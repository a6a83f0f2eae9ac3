import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromLongBinary } from "../../../src/protocol/frames/from-binary.ts";
import { decodeFrameGenerated } from "../../../src/protocol/frames/generated-codec.ts";
import { MAX_FIELDS } from "../../../src/protocol/frames/raw-reader.ts";
import { MessageSchema } from "../../../src/protocol/gen/agent_worker_pb.ts";
import {
  decodeAddSubscriptionRequest,
  decodeFrame,
  decodeGetSubscriptionsResponse,
  decodeRegisterAgentRequest,
  encodeFrame,
  type Frame,
  peekFrame,
} from "../../../src/protocol/index.ts";
import { decodeControl, decodeStoredState } from "../../../src/protocol/internal.ts";
import { decodeHealthCheckRequest } from "../../../src/protocol/services/health.ts";
import { answerReflection } from "../../../src/protocol/services/reflection.ts";

/** A field that holds bytes. */
function field(number: number, value: Uint8Array): Buffer {
  const head = [(number << 3) | 2];
  let rest = value.length;
  for (; rest >= 0x80; rest >>>= 7) head.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Buffer.of(...head, rest), value]);
}

const many = (bytes: readonly number[], count = MAX_FIELDS + 1) =>
  Buffer.concat(Array.from({ length: count }, () => Buffer.from(bytes)));

/** Contents with more fields than any message may have. */
const floods: Readonly<Record<string, Buffer>> = {
  "unknown numbers": many([0x78, 1]),
  "unknown texts": many([0x7a, 0]),
  "unknown groups": many([0x7b, 0x7c]),
  "groups within groups": many([0x7b], 3 * MAX_FIELDS),
  "empty metadata": many([0x32, 0]),
  "empty targets": many([0x1a, 0]),
  "empty ids": many([0x0a, 0]),
};

describe("a message with more fields than the host reads", () => {
  test.each(Object.entries(floods))("is refused on a data channel, with %s", (_name, content) => {
    for (const arm of [1, 2, 3, 4, 6, 1000]) {
      const frame = arm === 1000 ? content : field(arm, content);
      const peeked = peekFrame(frame);
      expect(peeked).toMatchObject({
        kind: "bad",
        reason: expect.stringMatching(/more than 10000 fields|not well-formed/),
      });
    }
  });

  test.each([
    ["a payload", 1, 5],
    ["an attribute", 3, 5],
    ["the agent id of a target", 1, 3],
  ])("is refused if they are in %s", (_name, arm, number) => {
    const frame = field(arm, field(number, many([0x78, 1])));
    expect(peekFrame(frame).kind).toBe("bad");
    const inValue = field(3, field(5, field(2, many([0x78, 1]))));
    expect(peekFrame(inValue).kind).toBe("bad");
  });

  test.each(Object.entries(floods))(
    "is refused by every other reader of what clients send, with %s",
    (_name, content) => {
      const readers = [
        decodeRegisterAgentRequest,
        decodeAddSubscriptionRequest,
        decodeStoredState,
        decodeControl,
        decodeHealthCheckRequest,
        answerReflection,
      ];
      for (const read of readers) expect(() => read(content)).toThrow(/more than 10000 fields|not well-formed/);
    },
  );

  test("is read if it is a host's list of subscriptions", () => {
    expect(decodeGetSubscriptionsResponse(many([0x0a, 0]))).toHaveLength(MAX_FIELDS + 1);
  });

  test("names the call that it belongs to, so that its caller gets an answer", () => {
    const call = field(1, Buffer.concat([field(1, Buffer.from("7")), many([0x78, 1])]));
    expect(peekFrame(call)).toMatchObject({ kind: "bad", head: { kind: "request", requestId: "7" } });
  });
});

const unknown = fc.oneof(
  fc.constant(Buffer.of(0x78, 1)),
  fc.constant(Buffer.of(0x7b, 0x78, 1, 0x7c)),
  fc.uint8Array({ maxLength: 40 }).map((value) => field(15, value)),
);
const target = fc.record({ type: fc.string({ maxLength: 9 }), key: fc.string({ maxLength: 9 }) });

/** Comparing the long data of a call takes long. */
function withoutData(frame: Frame): object {
  return frame.kind === "request" ? { ...frame, payload: frame.payload?.data.byteLength } : frame;
}

describe("a long message with few fields", () => {
  test("is read as the generated code reads it, also with unknown fields, groups and repeated parts", () => {
    fc.assert(
      fc.property(fc.array(unknown, { maxLength: 30 }), fc.array(target, { maxLength: 3 }), (odd, targets) => {
        const ids = targets.map(({ type, key }) =>
          field(3, Buffer.concat([field(1, Buffer.from(type)), field(2, Buffer.from(key)), ...odd])),
        );
        const payload = field(5, field(3, Buffer.alloc(3 * MAX_FIELDS)));
        const frame = field(1, Buffer.concat([field(1, Buffer.from("7")), ...ids, ...odd, payload]));
        expect(withoutData(decodeFrame(frame))).toEqual(withoutData(decodeFrameGenerated(frame)));
        const { message } = fromLongBinary(MessageSchema, frame);
        if (message.case !== "request") throw new Error("expected a call");
        const peeked = peekFrame(frame);
        if (peeked.kind !== "request") throw new Error(`expected a call, got ${peeked.kind}`);
        expect(peeked.targetType).toBe(message.value.target?.type);
        expect(peeked.targetKey).toBe(message.value.target?.key ?? "");
      }),
      { numRuns: 100 },
    );
  });

  test("is refused when one of its fields has the wire type of another", () => {
    const payload = field(5, field(3, Buffer.alloc(3 * MAX_FIELDS)));
    const frame = field(1, Buffer.concat([Buffer.of(0x18, 0), payload]));
    expect(peekFrame(frame)).toMatchObject({ kind: "bad" });
  });

  test("is read in its usual form", () => {
    const payload = { typeName: "T", contentType: "application/json", data: Buffer.alloc(3 * MAX_FIELDS) };
    const frame = { kind: "response" as const, requestId: "7", payload, error: "", metadata: { a: "b" } };
    expect(decodeFrame(encodeFrame(frame))).toMatchObject({ kind: "response", requestId: "7" });
    expect(peekFrame(encodeFrame(frame)).kind).toBe("response");
  });
});
