import { expect, it } from "vitest";
import { ShutdownDeadline } from "../../../src/host/shutdown-deadline.ts";
import { ManualClock } from "../../../src/testing/index.ts";

it("is over when its time has passed", async () => {
  const clock = new ManualClock();
  const grace = new ShutdownDeadline(clock, 100);
  clock.advance(40);
  expect(grace.leftMs).toBe(60);
  clock.advance(60);
  await grace.over;
  expect(grace.leftMs).toBe(0);
});

it("can be cut short and not prolonged, and leaves no timer behind when it is not needed", async () => {
  const clock = new ManualClock();
  const grace = new ShutdownDeadline(clock, 100);
  grace.shorten(500);
  expect(grace.leftMs).toBe(100);
  grace.shorten(10);
  expect(grace.leftMs).toBe(10);
  expect(clock.pendingTimers).toBe(1);
  clock.advance(10);
  await grace.over;
  const other = new ShutdownDeadline(clock, 100);
  other.done();
  expect(clock.pendingTimers).toBe(0);
});

it("stays done: shortening it later sets no timer", () => {
  const clock = new ManualClock();
  const grace = new ShutdownDeadline(clock, 100);
  grace.done();
  grace.shorten(1);
  expect(clock.pendingTimers).toBe(0);
});

it("can be later than Node's longest timer", async () => {
  const clock = new ManualClock();
  const grace = new ShutdownDeadline(clock, 2 ** 31 + 10);
  let isOver = false;
  void grace.over.then(() => {
    isOver = true;
  });
  clock.advance(2 ** 31);
  await Promise.resolve();
  expect([isOver, grace.leftMs, clock.pendingTimers]).toEqual([false, 10, 1]);
  clock.advance(10);
  await grace.over;
});
