import { expect, test } from "vitest";
import { sharedTime, systemClock } from "../../../src/core/internal.ts";
import { ManualClock } from "../../../src/testing/index.ts";

test.each([2 ** 31, Number.POSITIVE_INFINITY])(
  "a timer of %d ms does not go off at once: it is longer than timers can be",
  async (delayMs) => {
    let isOver = false;
    const timer = systemClock.setTimer(delayMs, () => {
      isOver = true;
    });
    await new Promise<void>((resolve) => systemClock.setTimer(20, resolve, { keepAlive: true }));
    expect(isOver).toBe(false);
    timer.cancel();
  },
);

test("code that runs in one go reads one time, and what comes later another one", async () => {
  const now = sharedTime(systemClock);
  const first = now();
  while (systemClock.now() <= first) {
    // Until the clock has moved.
  }
  expect(now()).toBe(first);
  await Promise.resolve();
  expect(now()).toBeGreaterThan(first);
  const manual = new ManualClock();
  const ofManual = sharedTime(manual);
  const before = ofManual();
  manual.advance(5);
  expect(ofManual()).toBe(before + 5);
});
