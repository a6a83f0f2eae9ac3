import { expect, test } from "vitest";
import { ManualClock } from "../../../../src/testing/index.ts";
import { atMost, MovableLimit } from "../../../../src/worker/connection/time-limits.ts";
import { CountingClock } from "../../../support/counting-clock.ts";

const never = new Promise<string>(() => undefined);

test("a wait ends when its time is up, its signal aborts, or what it waits for has come", async () => {
  const manual = new ManualClock();
  const clock = new CountingClock(manual);
  const late = atMost(never, 100, clock);
  manual.advance(100);
  expect(await late).toBeUndefined();
  const given = new AbortController();
  const aborted = atMost(never, 100, clock, given.signal);
  given.abort();
  expect(await aborted).toBeUndefined();
  expect(await atMost(never, 100, clock, AbortSignal.abort())).toBeUndefined();
  expect(await atMost(Promise.resolve("come"), 100, clock)).toBe("come");
  await expect(atMost(Promise.reject(new Error("it failed")), 100, clock)).rejects.toThrow("it failed");
  expect(clock.pendingTimers).toBe(0);
});

test("a limit that is set anew ends at its new time, also if it was over before the wait", async () => {
  const clock = new ManualClock();
  const limit = new MovableLimit(100, clock);
  const wait = limit.atMost(never);
  limit.set(1_000);
  clock.advance(999);
  expect(await Promise.race([wait, Promise.resolve("waits")])).toBe("waits");
  clock.advance(1);
  expect(await wait).toBeUndefined();
  const over = new MovableLimit(10, clock);
  clock.advance(10);
  expect(await over.atMost(never)).toBeUndefined();
});
