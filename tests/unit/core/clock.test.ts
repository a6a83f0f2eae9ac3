import { expect, test } from "vitest";
import { systemClock } from "../../../src/core/internal.ts";

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
