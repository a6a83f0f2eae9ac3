import { expect, test } from "vitest";
import { ConcurrencyLimiter } from "../../../../src/worker/inbound/concurrency-limiter.ts";

test("handlers that answer at once are all begun when a slot is free, in order, however many were parked", async () => {
  const slots = new ConcurrencyLimiter({
    maxConcurrentHandlers: 1,
    maxParkedMessages: 100_000,
    maxParkedBytes: Number.POSITIVE_INFINITY,
    onChange: () => undefined,
  });
  slots.begin();
  const begun: number[] = [];
  const running: number[] = [];
  for (let index = 0; index < 50_000; index += 1) {
    const run = () => {
      slots.begin();
      begun.push(index);
      running.push(slots.runningCount);
      slots.end();
    };
    slots.park({ bytes: 1, run });
  }
  slots.end();
  await Promise.resolve();
  expect(begun).toEqual(Array.from({ length: 50_000 }, (_, index) => index));
  expect(new Set(running)).toEqual(new Set([1]));
  expect([slots.runningCount, slots.parkedCount]).toEqual([0, 0]);
});

test.each([{ maxParkedMessages: 0 }, { maxParkedBytes: 0 }])(
  "a worker that parks nothing (%o) reads again when its handler has ended",
  (bound) => {
    const changes: boolean[] = [];
    const slots: ConcurrencyLimiter = new ConcurrencyLimiter({
      ...{ maxConcurrentHandlers: 1, maxParkedMessages: 10, maxParkedBytes: 1_000 },
      ...bound,
      onChange: () => changes.push(slots.isCrowded),
    });
    slots.begin();
    expect(slots.isCrowded).toBe(true);
    slots.end();
    expect(changes).toEqual([false]);
  },
);

test("messages that wait for their turn count as parked while handlers are bounded, so that the worker stops reading", () => {
  const bounds = { maxParkedMessages: 4, maxParkedBytes: 1_000, onChange: () => undefined };
  const slots = new ConcurrencyLimiter({ ...bounds, maxConcurrentHandlers: 2 });
  slots.begin();
  const states: [parked: number, isCrowded: boolean, isFull: boolean][] = [];
  for (let count = 1; count <= 4; count += 1) {
    slots.addWaiting(1);
    states.push([slots.parkedCount, slots.isCrowded, slots.isFull]);
  }
  expect(states).toEqual([
    [1, false, false],
    [2, true, false],
    [3, true, false],
    [4, true, true],
  ]);
  for (let count = 1; count <= 4; count += 1) slots.removeWaiting(1);
  expect([slots.parkedCount, slots.isCrowded, slots.isFull]).toEqual([0, false, false]);

  const unbounded = new ConcurrencyLimiter({ ...bounds, maxConcurrentHandlers: Number.POSITIVE_INFINITY });
  for (let count = 1; count <= 4; count += 1) unbounded.addWaiting(1);
  expect([unbounded.parkedCount, unbounded.isCrowded, unbounded.isFull]).toEqual([4, false, false]);
});

test("a message whose turn has begun gets a slot before those that have not waited yet", async () => {
  const bounds = { maxParkedMessages: 4, maxParkedBytes: 1_000, onChange: () => undefined };
  const slots = new ConcurrencyLimiter({ ...bounds, maxConcurrentHandlers: 1 });
  slots.begin();
  const begun: string[] = [];
  slots.park({ bytes: 1, run: () => begun.push("parked") });
  slots.parkFirst({ bytes: 1, run: () => begun.push("in turn") });
  expect(slots.parkedCount).toBe(2);
  slots.end();
  await Promise.resolve();
  expect(begun).toEqual(["in turn", "parked"]);
});

test("a message that comes while a slot is free and others are parked does not overtake them", async () => {
  const bounds = { maxParkedMessages: 4, maxParkedBytes: 1_000, onChange: () => undefined };
  const slots = new ConcurrencyLimiter({ ...bounds, maxConcurrentHandlers: 1 });
  slots.begin();
  const begun: string[] = [];
  slots.park({ bytes: 1, run: () => begun.push("parked") });
  slots.end();
  expect([slots.hasFree, begun]).toEqual([false, []]);
  await Promise.resolve();
  expect([slots.hasFree, begun]).toEqual([true, ["parked"]]);
});
