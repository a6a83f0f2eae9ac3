import { describe, expect, test } from "vitest";
import { systemClock } from "../../../../src/core/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { InFlight } from "../../../../src/worker/inbound/in-flight.ts";

const unclaimed = { mayGoBack: false, isAwaited: false, goBack: () => {} };
const nothing = { ...unclaimed, workSlot: 0, abandon: () => {} };

describe("work in progress", () => {
  test("is idle at once when nothing runs", async () => {
    await new InFlight().idle(1e9, systemClock);
  });

  test("is idle when the last work ends, and leaves no timer", async () => {
    const clock = new ManualClock();
    const work = new InFlight();
    const other = { ...unclaimed, workSlot: 0, abandon: () => {} };
    work.add(nothing);
    work.add(other);
    let isIdle = false;
    const idle = work.idle(1000, clock).then(() => {
      isIdle = true;
    });
    work.delete(nothing);
    await Promise.resolve();
    expect(isIdle).toBe(false);
    work.delete(other);
    await idle;
    expect(work.size).toBe(0);
  });

  test("is waited for no longer than asked", async () => {
    const clock = new ManualClock();
    const work = new InFlight();
    work.add(nothing);
    const idle = work.idle(1000, clock);
    clock.advance(1000);
    await idle;
    expect(work.size).toBe(1);
  });

  test("is given up with the reason", () => {
    const work = new InFlight();
    const reasons: Error[] = [];
    work.add({ ...unclaimed, workSlot: 0, abandon: (reason) => reasons.push(reason) });
    const reason = new Error("enough");
    work.abandon(reason);
    expect(reasons).toEqual([reason]);
  });
});
