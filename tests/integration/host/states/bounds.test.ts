import { describe, expect, it } from "vitest";
import { MemoryStateStore } from "../../../../src/storage/index.ts";
import { GatedStore } from "../../../support/gated-store.ts";
import { type HostRig, hostTransports } from "../../../support/host-transports.ts";
import { commitOf, namesStates, RawStates } from "../../../support/raw-states.ts";
import { RawWorker } from "../../../support/raw-worker.ts";

/** Counts what is read at once. It answers a load later, so that the others come meanwhile. */
class LoadCountingStore extends MemoryStateStore {
  /** The most bytes that were reserved at once, without the largest state and with it. */
  readonly mostLargeBytes = [0, 0];
  mostSmall = 0;
  #largeBytes = 0;
  #small = 0;

  override async loadUpTo(...[maxBytes, ...asked]: Parameters<MemoryStateStore["loadUpTo"]>) {
    const isSmall = maxBytes < 100_000;
    if (isSmall) this.#small += 1;
    else this.#largeBytes += maxBytes;
    this.mostSmall = Math.max(this.mostSmall, this.#small);
    const at = this.#largeBytes >= 2_000_000 ? 1 : 0;
    this.mostLargeBytes[at] = Math.max(this.mostLargeBytes[at] ?? 0, this.#largeBytes);
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    if (isSmall) this.#small -= 1;
    else this.#largeBytes -= maxBytes;
    return super.loadUpTo(maxBytes, ...asked);
  }
}

async function startServer(rig: HostRig, clientId: string, type: string) {
  const server = await new RawWorker(rig.dial(), clientId, namesStates).join();
  await server.register(type);
  return { server, states: new RawStates(server.link, clientId) };
}

const putOf = (bytes: number) =>
  ({ at: "put", schemaVersion: 1, contentType: "x/y", data: new Uint8Array(bytes) }) as const;

describe.each(hostTransports)("the bounds of the stream of states over $name", ({ start }) => {
  it("takes as many asks as fit, reads on when some are answered, and lets others have their turn", async () => {
    const stateStore = new GatedStore();
    await using rig = await start({ stateStore });
    const crowd = await startServer(rig, "S", "counter");
    const asked = 12_000;
    for (let seq = 1; seq <= asked; seq += 1) crowd.states.send(commitOf(seq, `counter/${seq}`));
    const first = await stateStore.commits.takeMany(256);
    const other = await startServer(rig, "O", "other");
    other.states.commit("other/a");
    // Of the crowd the store has 256, and of the other worker its only one.
    const next = await stateStore.commits.take();
    expect(next.commit.agent.type).toBe("other");
    next.write();
    expect((await other.states.next()).outcome.at).toBe("committed");
    expect(stateStore.commits.rest).toHaveLength(0);
    stateStore.openGate();
    for (const { write } of first) write();
    for (let answered = 0; answered < asked; answered += 1) {
      expect((await crowd.states.next()).outcome.at).toBe("committed");
    }
    expect((await stateStore.stats()).records).toBe(asked + 1);
  });

  it("keeps no more than the bound for a worker that asks for large states and never reads them", async () => {
    const stateStore = new MemoryStateStore();
    const maxQueuedBytes = 1024 * 1024;
    await using rig = await start({ stateStore, maxQueuedBytes });
    const { states } = await startServer(rig, "S", "counter");
    states.commit("counter/a", { write: putOf(100_000) });
    await states.next();
    const other = await startServer(rig, "O", "other");
    const before = rig.host.counters().heldBytes;
    states.stream.pause();
    for (let asked = 0; asked < 2_000; asked += 1) states.load("counter/a");
    let most = 0;
    for (let round = 0; round < 50; round += 1) {
      other.states.load("other/a");
      expect((await other.states.next()).outcome.at).toBe("nothing");
      most = Math.max(most, rig.host.counters().heldBytes - before);
    }
    // What the queue of a worker may hold for answers, and what 2,000 asks without an answer take; 200 MB were asked for.
    expect(most).toBeLessThan(2 * maxQueuedBytes + 4 * 1024 * 1024);
    expect(rig.host.counters().loads).toBeLessThan(1_000);
    states.stream.resume();
    for (let answered = 0; answered < 2_000; answered += 1) expect((await states.next()).outcome.at).toBe("record");
  });

  it("has many small states at the store at once, and of large ones as many as fit", async () => {
    const maxQueuedBytes = 1024 * 1024;
    const stateStore = new LoadCountingStore();
    await using rig = await start({ stateStore, maxQueuedBytes });
    const { states } = await startServer(rig, "S", "counter");
    const [large, largest] = [300_000, 2_000_000];
    for (let at = 0; at < 20; at += 1) states.commit(`counter/${at}`, { write: putOf(large) });
    states.commit("counter/largest", { write: putOf(largest) });
    for (let at = 0; at < 300; at += 1) states.commit(`counter/small ${at}`, { write: putOf(100) });
    for (let at = 0; at < 321; at += 1) expect((await states.next()).outcome.at).toBe("committed");
    for (let at = 0; at < 20; at += 1) states.load(`counter/${at}`);
    states.load("counter/largest");
    for (let at = 0; at < 300; at += 1) states.load(`counter/small ${at}`);
    let lengths = 0;
    for (let at = 0; at < 321; at += 1) {
      const { outcome } = await states.next();
      lengths += outcome.at === "record" ? outcome.record.data.length : 0;
    }
    expect(lengths).toBe(20 * large + largest + 300 * 100);
    // Three of 300 kB fit into a megabyte. One that is longer than all of it is read alone.
    expect(stateStore.mostLargeBytes).toEqual([3 * large, largest]);
    expect(stateStore.mostSmall).toBeGreaterThan(64);
  });

  it("frees what a worker has asked when it hangs up, once its commits are written", async () => {
    const stateStore = new GatedStore();
    await using rig = await start({ stateStore });
    const watcher = await new RawWorker(rig.dial(), "W").join();
    const before = rig.host.counters().heldBytes;
    const { server, states } = await startServer(rig, "S", "counter");
    for (let at = 0; at < 300; at += 1) states.commit(`counter/${at}`, { write: putOf(10_000) });
    const held = await stateStore.commits.takeMany(256);
    await server.link.close();
    await watcher.takeOver("counter");
    expect(rig.host.counters().heldBytes - before).toBeGreaterThan(3_000_000);
    stateStore.openGate();
    for (const { write } of held) write();
    // All 300 had reached the host.
    while ((await stateStore.stats()).records < 300) await watcher.settled();
    await watcher.settled();
    expect(rig.host.counters().heldBytes - before).toBeLessThan(100_000);
  });

  it("refuses a commit for which the host has no memory, and goes on", async () => {
    const stateStore = new GatedStore();
    await using rig = await start({ stateStore, maxMemoryBytes: 4 * 1024 * 1024, maxQueuedBytes: 3 * 1024 * 1024 });
    const { states } = await startServer(rig, "S", "counter");
    for (let at = 0; at < 8; at += 1) states.commit(`counter/${at}`, { write: putOf(400_000) });
    const failure = await states.nextFailure();
    expect(failure).toMatchObject({ code: "overloaded" });
    stateStore.openGate();
    for (const { write } of stateStore.commits.rest) write();
    let committed = 0;
    for (let at = 0; at < 7; at += 1) if ((await states.next()).outcome.at === "committed") committed += 1;
    expect(committed).toBeGreaterThan(2);
  });

  it("counts each part of a commit, so that thousands of empty ones in few bytes do not fill the host's memory", async () => {
    const stateStore = new GatedStore();
    const maxQueuedBytes = 16 * 1024 * 1024;
    await using rig = await start({ stateStore, maxQueuedBytes });
    const { server, states } = await startServer(rig, "S", "counter");
    const before = rig.host.counters().heldBytes;
    const remembered = Array.from({ length: 9_000 }, () => ({ id: "", principal: "", answer: undefined }));
    const asked = 40;
    for (let at = 0; at < asked; at += 1) states.commit(`counter/${at}`, { remembered });
    await stateStore.commits.takeMany(3);
    await server.settled();
    // Each commit has 18 kB, and makes objects of some MB.
    const taken = rig.host.counters().heldBytes - before;
    expect(taken).toBeGreaterThan(maxQueuedBytes / 2);
    expect(stateStore.commits.rest.length).toBeLessThan(10);
    stateStore.openGate();
    expect(taken).toBeLessThan(3 * maxQueuedBytes);
  });
});
