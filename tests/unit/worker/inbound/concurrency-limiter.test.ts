import { expect, test } from "vitest";
import { ConcurrencyLimiter } from "../../../../src/worker/inbound/concurrency-limiter.ts";

test("handlers that answer at once are all begun when a slot is free, in order, however many were parked", () => {
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
