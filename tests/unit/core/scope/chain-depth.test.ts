import { expect, test } from "vitest";
import { depthIn, depthMetadata } from "../../../../src/core/scope/chain-depth.ts";
import { encodeFrame } from "../../../../src/protocol/internal.ts";

test.each([0, 1, 999_999, 1_000_000])("the depth %s is read as it was written", (depth) => {
  expect(depthIn({ ...depthMetadata(depth) })).toBe(depth);
});

test("no depth is written for 0, and none above the largest one", () => {
  expect(depthMetadata(0)).toBeUndefined();
  expect(depthMetadata(1_000_001)).toEqual({ agdepth: "1000000" });
});

test.each(["", "0", "01", "-1", "+1", "1.5", "1e3", " 1", "12345678", "seven"])(
  "%j is taken for no depth",
  (agdepth) => {
    expect(depthIn({ agdepth })).toBe(0);
  },
);

test("a depth above the largest one is taken for that", () => {
  expect(depthIn({ agdepth: "9999999" })).toBe(1_000_000);
});

test("the bytes are those of the specification", () => {
  const call = { kind: "request", requestId: "1", source: undefined, target: undefined, payload: undefined } as const;
  const request = encodeFrame({ ...call, metadata: { ...depthMetadata(12) } });
  expect(Buffer.from(request).toString("hex")).toContain("320d0a076167646570746812023132");
  const payload = { typeName: "T", contentType: "application/json", data: new Uint8Array() };
  const event = { id: "1", topicType: "t", topicSource: "s", sender: undefined, payload };
  const frame = encodeFrame({ kind: "event", event: { ...event, attributes: { ...depthMetadata(12) } } });
  expect(Buffer.from(frame).toString("hex")).toContain("2a0f0a076167646570746812041a023132");
});
