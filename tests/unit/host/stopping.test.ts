import { expect, it } from "vitest";
import { MemoryStateStore, type OpenStoreOptions, type StoreOpening } from "../../../src/core/internal.ts";
import { Host } from "../../../src/host/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { createListenerCounters, type Listener } from "../../../src/transport/internal.ts";
import { NodeProgram } from "../../support/node-program.ts";

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

/** A store that opens when the test lets it, as one behind a network that is gone. */
class SlowStore extends MemoryStateStore {
  closes = 0;
  letOpen: () => void = () => {};
  readonly #mayOpen = new Promise<void>((resolve) => {
    this.letOpen = resolve;
  });

  override async open(options?: OpenStoreOptions): Promise<StoreOpening> {
    await this.#mayOpen;
    return super.open(options);
  }

  override async close(): Promise<void> {
    this.closes += 1;
    await super.close();
  }
}

/** A host whose store does not open, and the graces with which its listener was closed. */
function startingHost() {
  const clock = new ManualClock();
  const stateStore = new SlowStore();
  const graces: (number | undefined)[] = [];
  const listener: Listener = {
    listen: async (address) => ({
      ...{ address, counters: createListenerCounters, closed: Promise.resolve() },
      close: async (graceMs) => void graces.push(graceMs),
    }),
  };
  return { clock, stateStore, graces, host: new Host({ listener, address: "a" }, { clock, stateStore }) };
}

it("stops though its store does not open; what opens later is closed at once", async () => {
  const { host, clock, stateStore, graces } = startingHost();
  const started = host.start();
  const stopped = host.stop({ graceMs: 0 });
  clock.advance(5_000);
  await expect(started).rejects.toMatchObject({ code: "shutting-down" });
  await stopped;
  await host.closed;
  expect([graces, stateStore.closes]).toEqual([[], 0]);
  stateStore.letOpen();
  await expect.poll(() => [graces, stateStore.closes]).toEqual([[0], 1]);
  expect(clock.pendingTimers).toBe(0);
});

it("has less time for a start that hangs when it is stopped a second time with less", async () => {
  const { host, clock } = startingHost();
  const started = host.start();
  const stopped = host.stop({ graceMs: 60_000 });
  clock.advance(1_000);
  void host.stop({ graceMs: 10 });
  clock.advance(10);
  await expect(started).rejects.toMatchObject({ code: "shutting-down" });
  await stopped;
  expect(clock.pendingTimers).toBe(0);
});

it("ends a stop during a start that hangs at once when the signal of the stop aborts", async () => {
  const { host, clock } = startingHost();
  const started = host.start();
  const abort = new AbortController();
  const stopped = host.stop({ graceMs: 60_000, signal: abort.signal });
  abort.abort();
  clock.advance(0);
  await expect(started).rejects.toMatchObject({ code: "shutting-down" });
  await stopped;
  expect(clock.pendingTimers).toBe(0);
});

it("keeps no timer when it is stopped again after its end", async () => {
  const { host, clock, stateStore } = startingHost();
  stateStore.letOpen();
  await host.start();
  await host.stop({ graceMs: 1_000 });
  await host.stop({ graceMs: 1 });
  expect(clock.pendingTimers).toBe(0);
});

it.each(["a store that never opens", "a listener that never closes"])(
  "keeps its program alive until the end of a stop: %s",
  async (which) => {
    const args = [which.includes("store") ? "store" : "listener"];
    await using program = new NodeProgram("tests/unit/host/programs/stops-slowly.ts", args);
    expect(await program.ended).toMatchObject({ code: 0, stdout: "stopped\n", stderr: "" });
  },
);

it("gives up its start when the signal aborts, though its store does not open", async () => {
  const { host, clock } = startingHost();
  const reason = new Error("too slow");
  const abort = new AbortController();
  const started = host.start({ signal: abort.signal });
  abort.abort(reason);
  clock.advance(5_000);
  await expect(started).rejects.toBe(reason);
  await host.closed;
  expect(clock.pendingTimers).toBe(0);
});
