import { expect, it } from "vitest";
import { ShutdownDeadline } from "../../../src/host/host.ts";
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
