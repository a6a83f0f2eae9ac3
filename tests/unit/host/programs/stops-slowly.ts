// Stops a host while nothing but the stop itself keeps the process alive.
import { Host } from "troupe/host";
import { MemoryStateStore } from "troupe/storage";
import { createListenerCounters, type Listener } from "../../../../src/transport/internal.ts";

/** Closes only when it is told to do so at once. */
const slowListener: Listener = {
  listen: async (address) => {
    let onClosed: () => void = () => {};
    const closed = new Promise<void>((resolve) => {
      onClosed = resolve;
    });
    const close = (graceMs?: number): Promise<void> => {
      if (graceMs === 0) onClosed();
      return closed;
    };
    return { address, counters: createListenerCounters, closed, close };
  },
};

class StuckStore extends MemoryStateStore {
  override open(): Promise<never> {
    return new Promise(() => {});
  }
}

const isStoreStuck = process.argv[2] === "store";
const stateStore = isStoreStuck ? new StuckStore() : new MemoryStateStore();
const host = new Host({ listener: slowListener, address: "a" }, { stateStore });
const started = host.start().catch(() => undefined);
if (!isStoreStuck) await started;
const stopped = host.stop({ graceMs: 100 });
// The time that a start has at least would only make the test slow.
if (isStoreStuck) void host.stop({ graceMs: 100 });
await stopped;
console.log("stopped");
