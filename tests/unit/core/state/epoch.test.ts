import { expect, test } from "vitest";
import { compareEpochs, formatEpoch, parseEpoch } from "../../../../src/core/internal.ts";

const epoch = (generation: number, era: number, number: number) => ({ generation, era, number });

test("an epoch is newer by its generation, then by its era, then by its number", () => {
  const rising = [epoch(0, 0, 0), epoch(0, 0, 10), epoch(0, 1, 0), epoch(0, 1, 1), epoch(1, 0, 0), epoch(10, 0, 0)];
  for (const [at, one] of rising.entries()) {
    for (const [otherAt, other] of rising.entries()) {
      expect(Math.sign(compareEpochs(one, other))).toBe(Math.sign(at - otherAt));
    }
  }
});

test("the text of an epoch is read back", () => {
  const newest = epoch(1_893_456_000, 4_294_967_295, Number.MAX_SAFE_INTEGER);
  expect(formatEpoch(newest)).toBe("1893456000.4294967295.9007199254740991");
  expect(parseEpoch(formatEpoch(newest))).toEqual(newest);
  expect(parseEpoch("0.0.0")).toEqual(epoch(0, 0, 0));
});

test.each(["", "1", "1.2", "1.2.3.4", "1.2.-3", "01.2.3", "1.2.3 ", "1.2.1e3", "1.2.9007199254740992", "a.b.c"])(
  "the text %j is no epoch",
  (text) => {
    expect(() => parseEpoch(text)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  },
);
