import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeFrame, namedSenderOf, peekFrame } from "../../../../src/protocol/internal.ts";
import { attribute } from "../../../../src/protocol/wire-names.ts";

const anyText = fc.string({ maxLength: 200 });
const name = fc.oneof(
  anyText,
  fc.string({ minLength: 10, maxLength: 11 }),
  fc.string({ minLength: 127, maxLength: 130 }),
);
const payload = fc.record({ typeName: anyText, contentType: fc.constant("application/json"), data: fc.uint8Array() });
const event = fc.record({
  ...{ id: anyText, topicType: anyText, topicSource: anyText, payload },
  sender: fc.option(fc.record({ type: fc.string({ minLength: 1 }), key: fc.string({ minLength: 1 }) }), {
    nil: undefined,
  }),
  attributes: fc.dictionary(name, anyText),
});

function senderIn(bytes: Uint8Array) {
  const peeked = peekFrame(bytes);
  if (peeked.kind !== "event" && peeked.kind !== "request") throw new Error(`The frame is a ${peeked.kind}.`);
  return namedSenderOf(peeked);
}

describe("the sender of a message", () => {
  test("is what its receiver reads, whatever other attributes an event has", () => {
    fc.assert(
      fc.property(event, (given) => {
        expect(senderIn(encodeFrame({ kind: "event", event: given }))).toEqual(given.sender);
      }),
    );
  });

  test("is named by one attribute, too, which stands last among others of its length", () => {
    const ce = (key: string, value: string) => field(0x2a, field(0x0a, key), field(0x12, field(0x1a, value)));
    const others = [ce("x".repeat(attribute.senderType.length), "a"), ce("y".repeat(attribute.senderKey.length), "b")];
    const withSender = (...attributes: Uint8Array[]) => field(0x1a, field(0x22, "topic"), ...others, ...attributes);
    expect(senderIn(withSender())).toBeUndefined();
    expect(senderIn(withSender(ce(attribute.senderType, "writer")))).toEqual({ type: "writer", key: "" });
    expect(senderIn(withSender(ce(attribute.senderKey, "1")))).toEqual({ type: "", key: "1" });
  });
});

/** Encodes a field of fewer than 128 bytes. */
function field(tag: number, ...parts: readonly (string | Uint8Array)[]): Uint8Array {
  const content = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
  expect(content.length).toBeLessThan(128);
  return Buffer.concat([Uint8Array.of(tag, content.length), content]);
}
