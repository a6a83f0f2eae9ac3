import { expect, it } from "vitest";
import { Host } from "../../../src/host/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { createListenerCounters, type Listener } from "../../../src/transport/internal.ts";

it("gives its listener what is left of the grace and no more, and ends that when the grace is over", async () => {
  const clock = new ManualClock();
  const graces: (number | undefined)[] = [];
  let onClosing: () => void = () => {};
  let onClosed: () => void = () => {};
  const closing = new Promise<void>((resolve) => {
    onClosing = resolve;
  });
  const closed = new Promise<void>((resolve) => {
    onClosed = resolve;
  });
  const listener: Listener = {
    listen: async (address) => ({
      ...{ address, counters: createListenerCounters, closed },
      close: (graceMs) => {
        graces.push(graceMs);
        onClosing();
        // A connection that ends only when it is told to end at once.
        if (graceMs === 0) onClosed();
        return closed;
      },
    }),
  };
  const host = new Host({ listener, address: "a" }, { clock });
  await host.start();
  const stopped = host.stop({ graceMs: 1_000 });
  await closing;
  expect(graces).toEqual([1_000]);
  clock.advance(1_000);
  await stopped;
  expect(graces).toEqual([1_000, 0]);
  expect(clock.pendingTimers).toBe(0);
});
