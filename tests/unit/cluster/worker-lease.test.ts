import { describe, expect, it } from "vitest";
import { WorkerLease } from "../../../src/cluster/internal.ts";
import { ManualClock } from "../../../src/testing/index.ts";

describe("the lease of a worker", () => {
  it("counts from when the worker asked, 3 % shorter than what was granted", () => {
    const clock = new ManualClock();
    const lease = new WorkerLease(clock);
    expect(lease.isHeld).toBe(false);
    const request = lease.request();
    clock.advance(1_000);
    lease.granted(request, 3_000);
    clock.advance(1_909);
    expect(lease.isHeld).toBe(true);
    clock.advance(1);
    expect(lease.isHeld).toBe(false);
  });

  it("is not given by answers that come too late, twice, or to requests of an earlier connection", () => {
    const clock = new ManualClock();
    const lease = new WorkerLease(clock);
    const late = lease.request();
    clock.advance(3_000);
    lease.granted(late, 3_000);
    expect(lease.isHeld).toBe(false);
    const earlier = lease.request();
    lease.end();
    lease.granted(earlier, 3_000);
    expect(lease.isHeld).toBe(false);
  });

  it("ends with the connection", () => {
    const lease = new WorkerLease(new ManualClock());
    lease.granted(lease.request(), 3_000);
    expect(lease.isHeld).toBe(true);
    lease.end();
    expect(lease.isHeld).toBe(false);
  });

  it("lets a message that waits go on with the next answer, and gives it back when the time is up", async () => {
    const clock = new ManualClock();
    const lease = new WorkerLease(clock);
    const waits = lease.whenHeld(2_000);
    lease.granted(lease.request(), 3_000);
    expect(await waits).toBe(true);
    lease.end();
    const givesUp = lease.whenHeld(2_000);
    clock.advance(2_000);
    expect(await givesUp).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  it("remembers few requests, however many have no answer", () => {
    const lease = new WorkerLease(new ManualClock());
    const first = lease.request();
    for (let count = 0; count < 100; count += 1) lease.request();
    lease.granted(first, 3_000);
    expect(lease.isHeld).toBe(false);
  });
});
