import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeFrame,
  encodeFrame,
  encodeToldCall,
  idempotencyKeyOf,
  metadataKey,
  type PeekedRequest,
  peekFrame,
  plainAnswerOf,
  withMailMarks,
} from "../../../../src/protocol/internal.ts";
import { hostKeys } from "../../../../src/protocol/wire-names.ts";

const marks = { id: "message 1", attempt: 2, place: "3.4", reminder: undefined, isEvent: false, timeoutMs: 1_000 };
const written = {
  [metadataKey.idempotency]: "message 1",
  [metadataKey.attempt]: "2",
  [metadataKey.mail]: "3.4",
  [metadataKey.timeoutMs]: "1000",
};

const key = fc.constantFrom(
  ...[...hostKeys, metadataKey.timeoutMs, metadataKey.idempotency, metadataKey.path, "trace", ""],
);
const anyText = fc.string({ maxLength: 200 });
const call = fc.record({
  requestId: anyText,
  source: fc.option(fc.record({ type: anyText, key: anyText }), { nil: undefined }),
  target: fc.record({ type: anyText, key: anyText }),
  payload: fc.option(
    fc.record({ typeName: anyText, contentType: fc.constant("application/json"), data: fc.uint8Array() }),
    { nil: undefined },
  ),
  metadata: fc.dictionary(key, anyText),
});

function peeked(bytes: Uint8Array): PeekedRequest {
  const frame = peekFrame(bytes);
  if (frame.kind !== "request") throw new Error(`The frame is a ${frame.kind}.`);
  return frame;
}

describe("a kept call", () => {
  test("goes to its worker with the marks of the host alone, and the rest of it as it was kept", () => {
    fc.assert(
      fc.property(call, (given) => {
        const request = withMailMarks(encodeFrame({ kind: "request", ...given }), "7", marks);
        const left = Object.entries(given.metadata).filter(
          ([name]) => name === metadataKey.principal || !(hostKeys.includes(name) || name in written),
        );
        expect(decodeFrame(request?.bytes ?? new Uint8Array())).toEqual({
          ...{ kind: "request", ...given, requestId: "7" },
          metadata: { ...Object.fromEntries(left), ...written },
        });
        expect(request).toMatchObject({ targetType: given.target.type, targetKey: given.target.key });
      }),
    );
  });

  test("is kept without what concerns a waiting caller, under the principal that the host knows", () => {
    fc.assert(
      fc.property(call, fc.option(fc.string(), { nil: undefined }), (given, principal) => {
        const request = peeked(encodeFrame({ kind: "request", ...given }));
        const frame = decodeFrame(encodeToldCall(request, "message 1", principal));
        const { [metadataKey.path]: _path, [metadataKey.timeoutMs]: _timeout, ...rest } = given.metadata;
        const { [metadataKey.epoch]: _epoch, [metadataKey.principal]: _written, ...left } = rest;
        const known = principal === undefined ? {} : { [metadataKey.principal]: principal };
        expect(frame).toEqual({
          ...{ kind: "request", ...given, requestId: "message 1" },
          metadata: { ...left, ...known },
        });
        expect(idempotencyKeyOf(request)).toBe(given.metadata[metadataKey.idempotency]);
      }),
    );
  });

  test("with a field twice is marked as its last one says", () => {
    const frame = encodeFrame({
      ...{ kind: "request", requestId: "1", source: undefined, target: { type: "a", key: "b" }, payload: undefined },
      metadata: { [metadataKey.idempotency]: "first" },
    });
    // The second request id and key stand behind the others.
    const again = Buffer.concat([
      ...[frame.subarray(2), Uint8Array.of(0x0a, 1, 0x32), entryOf(metadataKey.idempotency, "second")],
    ]);
    const whole = Buffer.concat([Uint8Array.of(0x0a, again.length), again]);
    expect(idempotencyKeyOf(peeked(whole))).toBe("second");
    const { requestId, metadata } = requestIn(withMailMarks(whole, "7", marks));
    expect({ requestId, metadata }).toEqual({ requestId: "7", metadata: written });
  });

  test("whose bytes are no call gets no marks", () => {
    for (const bytes of [
      new Uint8Array(),
      Uint8Array.of(0x0a, 1),
      Uint8Array.of(0x12, 0),
      Uint8Array.of(0x0a, 2, 10, 9),
    ])
      expect(withMailMarks(bytes, "7", marks)).toBeUndefined();
  });
});

test("the host reads of an answer whether its handler failed", () => {
  const answer = { kind: "response", requestId: "7", payload: undefined, error: "", metadata: { a: "b" } } as const;
  expect(plainAnswerOf(encodeFrame(answer))).toBe("7");
  expect(plainAnswerOf(encodeFrame({ ...answer, error: "It broke." }))).toBeUndefined();
  expect(plainAnswerOf(Uint8Array.of(0x0a, 0))).toBeUndefined();
});

function entryOf(name: string, value: string): Uint8Array {
  const fields = [
    Uint8Array.of(0x0a, name.length),
    Buffer.from(name),
    Uint8Array.of(0x12, value.length),
    Buffer.from(value),
  ];
  const entry = Buffer.concat(fields);
  return Buffer.concat([Uint8Array.of(0x32, entry.length), entry]);
}

function requestIn(request: PeekedRequest | undefined) {
  const frame = decodeFrame(request?.bytes ?? new Uint8Array());
  if (frame.kind !== "request") throw new Error("The frame is not a call.");
  return frame;
}
