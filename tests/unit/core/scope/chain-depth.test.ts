import { expect, test } from "vitest";
import { depthIn, depthMetadata, waitingIn } from "../../../../src/core/scope/chain-depth.ts";
import { encodeFrame } from "../../../../src/protocol/internal.ts";

test.each([0, 1, 999_999, 1_000_000])("the depth %s is read as it was written", (depth) => {
  expect(depthIn({ ...depthMetadata(depth) })).toBe(depth);
});

test.each([
  [0, 5, "0.5"],
  [12, 3, "12.3"],
  [1_000_000, 1_000_001, "1000000.1000000"],
])("the depth %s of a call for which %s handlers wait is written as %s, and read so", (depth, waiting, agdepth) => {
  expect(depthMetadata(depth, waiting)).toEqual({ agdepth });
  expect([depthIn({ agdepth }), waitingIn({ agdepth })]).toEqual([depth, Math.min(waiting, 1_000_000)]);
});

test("no depth is written for 0, and none above the largest one", () => {
  expect(depthMetadata(0)).toBeUndefined();
  expect(depthMetadata(1_000_001)).toEqual({ agdepth: "1000000" });
});

test.each(["", "0", "01", "-1", "+1", "1.0", "1.", ".5", "1.5.2", "1e3", " 1", "12345678", "seven"])(
  "%j is taken for no depth",
  (agdepth) => {
    expect([depthIn({ agdepth }), waitingIn({ agdepth })]).toEqual([0, 0]);
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
