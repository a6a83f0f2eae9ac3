import { expect, it } from "vitest";
import { limits } from "../../../../../src/host/limits.ts";
import { LinkBarriers } from "../../../../../src/host/peers/links/link-barriers.ts";
import { ManualClock } from "../../../../../src/testing/index.ts";

function setUp() {
  const sent: number[] = [];
  const clock = new ManualClock();
  const barriers = new LinkBarriers({ clock, send: (number) => sent.push(number) });
  return { sent, clock, barriers };
}

it("sends one barrier at a time, and the next one for all that came meanwhile", async () => {
  const { sent, clock, barriers } = setUp();
  const first = barriers.reach();
  const others = Array.from({ length: 1_000 }, () => barriers.reach());
  expect(new Set(others).size).toBe(1);
  expect([sent, clock.pendingTimers]).toEqual([[1], 1]);
  barriers.read(1);
  expect(await first).toBe(true);
  expect(sent).toEqual([1, 2]);
  barriers.read(1);
  barriers.read(2);
  expect(await others[0]).toBe(true);
  expect(clock.pendingTimers).toBe(0);
});

it("waits 2 s for a host that reads none, and keeps nothing of it", async () => {
  const { sent, clock, barriers } = setUp();
  const [first, second] = [barriers.reach(), barriers.reach()];
  clock.advance(limits.barrierMs);
  expect(await first).toBe(false);
  clock.advance(limits.barrierMs);
  expect(await second).toBe(false);
  expect([sent, clock.pendingTimers]).toEqual([[1, 2], 0]);
});

it("waits for nothing once the link has ended", async () => {
  const { clock, barriers } = setUp();
  const all = [barriers.reach(), barriers.reach()];
  barriers.close();
  expect(await Promise.all(all)).toEqual([true, true]);
  expect(clock.pendingTimers).toBe(0);
});
