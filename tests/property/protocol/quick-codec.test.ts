import fc from "fast-check";
import { describe, expect, test } from "vitest";
// The twins themselves are inside the room: users see the quick one only.
import { decodeFrameGenerated, encodeFrameGenerated } from "../../../src/protocol/frames/generated-codec.ts";
import { decodeQuickly } from "../../../src/protocol/frames/quick-decoder.ts";
import { decodeFrame, encodeFrame, type Frame } from "../../../src/protocol/index.ts";

const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 30 }),
  fc.string({ unit: "binary", maxLength: 300 }).filter((value) => !/\p{Surrogate}/u.test(value)),
);
const bytes = fc.uint8Array({ maxLength: 300 });
const id = fc.record({ type: text, key: text });
const name = text.filter((value) => value !== "__proto__");
const metadata = fc.dictionary(name, text, { maxKeys: 4, noNullPrototype: true });
const payload = fc.record({ typeName: text, contentType: text, data: bytes });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const call: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    kind: fc.constant("request" as const),
    requestId: text,
    source: maybe(id),
    target: maybe(id),
    payload: maybe(payload),
    metadata,
  }),
  fc.record({
    kind: fc.constant("response" as const),
    requestId: text,
    payload: maybe(payload),
    error: text,
    metadata,
  }),
);

const anyOfNothing = new Uint8Array([0x0a, 0x01, 0x61]);
const event: fc.Arbitrary<Frame> = fc.record({
  kind: fc.constant("event" as const),
  event: fc.record({
    id: text,
    topicType: text,
    topicSource: text,
    sender: fc.record({ type: text, key: text }),
    payload: fc.oneof(
      payload,
      fc.record({
        typeName: text,
        contentType: fc.constant("application/x-protobuf"),
        data: fc.constant(anyOfNothing),
      }),
    ),
    attributes: fc.dictionary(
      name.filter((key) => !key.startsWith("ag") && !key.startsWith("data")),
      text,
      {
        maxKeys: 3,
        noNullPrototype: true,
      },
    ),
  }),
});

describe("the quick codec and the generated one", () => {
  test("write the same bytes", () => {
    fc.assert(
      fc.property(fc.oneof(call, event), (frame) => {
        expect(Buffer.from(encodeFrame(frame)).toString("hex")).toBe(
          Buffer.from(encodeFrameGenerated(frame)).toString("hex"),
        );
      }),
      { numRuns: 500 },
    );
  });

  test("read the same from what is written", () => {
    fc.assert(
      fc.property(fc.oneof(call, event), (frame) => {
        const written = encodeFrameGenerated(frame);
        expect(decodeFrame(written)).toEqual(decodeFrameGenerated(written));
        expect(decodeFrame(written)).toEqual(frame);
      }),
      { numRuns: 500 },
    );
  });

  test("agree on damaged bytes: the quick one reads what the other does, or leaves it alone", () => {
    fc.assert(
      fc.property(fc.oneof(call, event), fc.nat(), fc.nat({ max: 255 }), (frame, where, byte) => {
        const damaged = Uint8Array.from(encodeFrameGenerated(frame));
        if (damaged.length > 0) damaged[where % damaged.length] = byte;
        const quick = decodeQuickly(damaged);
        if (quick !== undefined) expect(quick).toEqual(decodeFrameGenerated(damaged));
      }),
      { numRuns: 2000 },
    );
  });

  test("a text that begins with a byte order mark is the same on either road", () => {
    const marked: Frame = {
      kind: "request",
      requestId: "\ufeffr",
      source: undefined,
      target: { type: "\ufefft", key: "\ufeffk" },
      payload: undefined,
      metadata: { "\ufeffm": "\ufeffv" },
    };
    const written = encodeFrame(marked);
    // An unknown field, 2047 = 1, inside of the call sends its reader to the slow road.
    const unknown = [0xf8, 0x7f, 0x01];
    const slow = Uint8Array.from([0x0a, written.length - 2 + unknown.length, ...written.subarray(2), ...unknown]);
    expect(decodeQuickly(slow)).toBeUndefined();
    expect([decodeFrame(written), decodeFrame(slow)]).toEqual([marked, marked]);
  });

  test("a message beyond the reused buffer is written whole", () => {
    const data = new Uint8Array(300_000).fill(7);
    const frame: Frame = {
      kind: "response",
      requestId: "1",
      payload: { typeName: "T", contentType: "application/json", data },
      error: "",
      metadata: {},
    };
    expect(Buffer.compare(encodeFrame(frame), encodeFrameGenerated(frame))).toBe(0);
  });

  test("text that UTF-8 can't hold is refused instead of being changed on the way", () => {
    const frame: Frame = {
      kind: "request",
      requestId: "1",
      source: undefined,
      target: { type: "a", key: "\ud800" },
      payload: undefined,
      metadata: {},
    };
    expect(() => encodeFrame(frame)).toThrow(expect.objectContaining({ code: "invalid-message" }));
  });
});
