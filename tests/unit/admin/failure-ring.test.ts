import { expect, test } from "vitest";
import type { NewFailure } from "../../../src/admin/model/failure.ts";
import { FailureRing } from "../../../src/admin/model/failure-ring.ts";
import type { Failure } from "../../../src/host/internal.ts";

const failureOf = (type: string, detail = ""): NewFailure => ({ kind: "call", type, key: "k", code: "c", detail });
const anything = { before: Number.POSITIVE_INFINITY, limit: 1_000_000, isWanted: () => true };
const typesOf = (rows: readonly Failure[]) => [...new Set(rows.map(({ type }) => type))].sort();

test("a type that fails all the time hides no failure of another one, and the bytes are bounded", () => {
  const ring = new FailureRing({ maxBytes: 20_000, nowMs: () => 0 });
  for (let count = 0; count < 5; count += 1) ring.add(failureOf("quiet"));
  for (let count = 0; count < 10_000; count += 1) ring.add(failureOf("loud", "x".repeat(count % 300)));
  const { rows } = ring.list(anything);
  expect(rows.filter(({ type }) => type === "quiet")).toHaveLength(5);
  expect(typesOf(rows)).toEqual(["loud", "quiet"]);
  expect(ring.bytes).toBeLessThanOrEqual(20_000);
  expect(ring.forgotten).toBe(10_005 - rows.length);
});

test("a failure that is too long alone is forgotten at once", () => {
  const ring = new FailureRing({ maxBytes: 1_000, nowMs: () => 0 });
  ring.add(failureOf("a", "x".repeat(1_000)));
  expect([ring.bytes, ring.forgotten, ring.list(anything).rows]).toEqual([0, 1, []]);
});

test("pages go from the newest to the oldest, and miss none", () => {
  const ring = new FailureRing({ nowMs: () => 0 });
  for (let count = 0; count < 25; count += 1) ring.add(failureOf(`t${count % 3}`));
  const numbers: number[] = [];
  let before: number | undefined = Number.POSITIVE_INFINITY;
  while (before !== undefined) {
    const { rows, next } = ring.list({ before, limit: 4, isWanted: ({ type }) => type !== "t0" });
    numbers.push(...rows.map(({ number }) => number));
    before = next;
  }
  expect(numbers).toEqual(
    [25, 24, 23, 21, 20, 18, 17, 15, 14, 12, 11, 9, 8, 6, 5, 3, 2].filter((n) => (n - 1) % 3 !== 0),
  );
});
