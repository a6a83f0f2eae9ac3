import { expect, test } from "vitest";
import { barsOf, type Hop } from "../../../ui/views/traces/waterfall.ts";

function hop(number: number, about: Partial<Hop>): Hop {
  const names = { sender: null, type: "t", key: String(number), topic: null, outcome: "answered", code: null };
  return {
    number,
    parent: null,
    kind: "call",
    time: "2026-01-01T00:00:00.000Z",
    startMs: 0,
    ms: 0,
    ...names,
    host: null,
    ...about,
  };
}

const inShort = (hops: readonly Hop[]) =>
  barsOf(hops).map(({ hop: { number }, depth, ownMs, isSlow, isFailed }) => [number, depth, ownMs, isSlow, isFailed]);

test("each hop stands behind the one that has sent it, and the one that takes the time by itself is marked", () => {
  const hops = [
    hop(0, { ms: 100 }),
    hop(1, { parent: 0, startMs: 5, ms: 90 }),
    hop(2, { parent: 0, startMs: 96, kind: "event", outcome: "missed" }),
    hop(3, { parent: 1, startMs: 10, ms: 40 }),
    hop(4, { parent: 1, startMs: 30, ms: 30, outcome: "failed" }),
  ];
  // Two calls of hop 1 overlap: they cover 50 ms of its 90.
  expect(inShort(hops)).toEqual([
    [0, 0, 10, false, false],
    [1, 1, 40, true, false],
    [3, 2, 40, true, false],
    [4, 2, 30, false, true],
    [2, 1, 0, false, true],
  ]);
});

test("a call without an outcome reaches to the end, and has no time of its own", () => {
  const [whole, open] = barsOf([hop(0, { ms: 10 }), hop(1, { startMs: 4, ms: null, outcome: "under way" })]);
  expect([whole?.length, open?.from, open?.length, open?.ownMs, open?.isSlow]).toEqual([1, 0.4, 0.6, null, false]);
});
