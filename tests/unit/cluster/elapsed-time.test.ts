import { describe, expect, it } from "vitest";
import { ElapsedTime } from "../../../src/cluster/elapsed-time.ts";

function clocks() {
  const clock = { monotonic: 1_000, wall: 1_700_000_000_000 };
  const time = new ElapsedTime({
    now: () => clock.monotonic,
    wallNow: () => clock.wall,
    setTimer: () => ({ cancel: () => undefined }),
  });
  const begin = time.now();
  return {
    elapsed: () => time.now() - begin,
    pass: (monotonicMs: number, wallMs: number) => {
      clock.monotonic += monotonicMs;
      clock.wall += wallMs;
    },
  };
}

describe("the time that has passed on a machine", () => {
  it("is that of both clocks when they agree", () => {
    const { elapsed, pass } = clocks();
    pass(5_000, 5_000);
    expect(elapsed()).toBe(5_000);
  });

  it("is that of the wall clock after a suspension, in which the monotonic clock stands still", () => {
    const { elapsed, pass } = clocks();
    pass(0, 60_000);
    expect(elapsed()).toBe(60_000);
    pass(1_000, 1_000);
    expect(elapsed()).toBe(61_000);
  });

  it("goes on with the monotonic clock when the wall clock is set back, and never decreases", () => {
    const { elapsed, pass } = clocks();
    pass(1_000, -3_600_000);
    expect(elapsed()).toBe(1_000);
    pass(1_000, 1_000);
    expect(elapsed()).toBe(2_000);
  });

  it("notices a suspension after the wall clock was set back", () => {
    const { elapsed, pass } = clocks();
    pass(1_000, -3_600_000);
    elapsed();
    pass(0, 60_000);
    expect(elapsed()).toBe(61_000);
  });

  it("does not run faster because a wall clock is rounded and the other is not", () => {
    const { elapsed, pass } = clocks();
    for (let count = 0; count < 10_000; count += 1) {
      pass(0.1, count % 10 === 0 ? 1 : 0);
      elapsed();
    }
    expect(elapsed()).toBeGreaterThan(999);
    expect(elapsed()).toBeLessThan(1_005);
  });
});
