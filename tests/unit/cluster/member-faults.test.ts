import { afterEach, describe, expect, it } from "vitest";
import { type CoordinationStore, MemoryCoordinationStore, type WriteOutcome } from "../../../src/cluster/index.ts";
import { ClusterMember } from "../../../src/cluster/internal.ts";
import { encodeAnnouncement } from "../../../src/cluster/records/announcement.ts";
import { encodeRecord } from "../../../src/cluster/records/record-text.ts";
import { workerKey } from "../../../src/cluster/records/store-keys.ts";
import { nextTurn } from "../../../src/core/internal.ts";
import { Dice, SimulatedClock } from "../../../src/testing/index.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const members: ClusterMember[] = [];

afterEach(() => {
  for (const member of members.splice(0)) member.abandon();
});

/** Passes a write on, at a time of its own. */
type Pass = () => Promise<WriteOutcome>;

function world() {
  const dice = new Dice(1);
  const clock = new SimulatedClock(dice);
  const memory = new MemoryCoordinationStore({ clock });
  const pass = async (ms: number) => {
    let isOver = false;
    clock.setTimer(ms, () => {
      isOver = true;
    });
    for (await nextTurn(); !isOver; await nextTurn()) clock.runNext();
  };
  /** Starts a host. `onWrite` decides what becomes of each of its writes: the text is the value. */
  const start = async (
    onWrite: (key: string, text: string, write: Pass) => Promise<WriteOutcome> = (_, __, write) => write(),
  ) => {
    const inner = memory.reopen();
    const store: CoordinationStore = {
      read: (key) => inner.read(key),
      watch: (prefix, watcher) => inner.watch(prefix, watcher),
      purge: (...given) => inner.purge(...given),
      announce: (bytes) => inner.announce(bytes),
      onAnnouncement: (listener) => inner.onAnnouncement(listener),
      close: () => inner.close(),
      write: (key, value, expected) =>
        onWrite(key, new TextDecoder().decode(value), () => inner.write(key, value, expected)),
    };
    const host = { label: "host", peerAddress: "host:1", workerAddress: "host:2" };
    const member = new ClusterMember({ store, host, clock, makeId: () => dice.id(), logger: silent });
    members.push(member);
    void member.start();
    await pass(50);
    expect(member.isServing).toBe(true);
    return member;
  };
  const join = (member: ClusterMember, session: number, signal = new AbortController().signal, workerId = "w1") =>
    member.workers.join(
      { workerId, session, clientId: "c", kind: "troupe", name: "", version: "", labels: {}, principal: "" },
      { signal, onOver: () => undefined },
    );
  return { pass, start, join, memory };
}

/** Holds what waits for it until it is opened. */
function gate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

describe("a host in a cluster", () => {
  it("buries a worker whose connection ended while it joined", async () => {
    const { pass, start, join } = world();
    const connection = new AbortController();
    const one = await start(async (key, _, write) => {
      const outcome = await write();
      if (key.startsWith("worker.")) connection.abort();
      return outcome;
    });
    expect(await join(one, 1, connection.signal)).toEqual({ at: "unavailable" });
    expect(one.knownWorkers.isHere("w1")).toBe(true);
    await pass(12_000);
    expect(one.knownWorkers.isHere("w1")).toBe(false);
  });

  it("declares a host dead, though the store did not answer at first", async () => {
    const { pass, start } = world();
    const lost = await start();
    let unanswered = 2;
    const one = await start(async (key, text, write) => {
      if (!key.startsWith("host.") || !text.includes('"dead"') || unanswered === 0) return write();
      unanswered -= 1;
      return { at: "unknown" };
    });
    lost.abandon();
    await pass(30_000);
    expect([unanswered, one.hosts.get(lost.hostId)?.state]).toEqual([0, "dead"]);
  });

  it("gives the agents of a killed worker to others as soon as its time is over", async () => {
    const { pass, start, join } = world();
    const one = await start();
    const joined = await join(one, 1);
    if (joined.at !== "joined") throw new Error(joined.at);
    await one.workers.end(joined.session, "lost");
    await pass(3_080);
    expect(one.knownWorkers.isHere("w1")).toBe(true);
    // The host looks at its duties each second: that would be later.
    await pass(30);
    expect(one.knownWorkers.isHere("w1")).toBe(false);
  });

  it("buries each of many workers that are lost at once", async () => {
    const { pass, start, join } = world();
    const one = await start();
    const ids = Array.from({ length: 600 }, (_, at) => `w${at}`);
    for (const id of ids) {
      const joined = await join(one, 1, undefined, id);
      if (joined.at !== "joined") throw new Error(joined.at);
      void one.workers.end(joined.session, "lost");
    }
    await pass(7_000);
    expect(ids.filter((id) => one.knownWorkers.isHere(id))).toEqual([]);
  });

  it("does not bury a worker that comes back while its grace ends", async () => {
    const { pass, start, join } = world();
    const { open, opened } = gate();
    const one = await start(async (key, text, write) => {
      if (key.startsWith("worker.") && text.includes('"session":2') && text.includes('"here"')) await opened;
      return write();
    });
    const first = await join(one, 1);
    if (first.at !== "joined") throw new Error(first.at);
    void one.workers.end(first.session, "lost");
    const second = join(one, 2);
    await pass(6_000);
    open();
    expect(await second).toMatchObject({ at: "joined" });
    await pass(6_000);
    expect(one.knownWorkers.isHere("w1")).toBe(true);
  });

  it("does not serve a worker that has joined another host before the join here was answered", async () => {
    const { pass, start, join } = world();
    const { open, opened } = gate();
    const one = await start(async (key, _, write) => {
      const outcome = await write();
      if (key.startsWith("worker.")) await opened;
      return outcome;
    });
    const two = await start();
    const first = join(one, 1);
    await pass(10);
    expect(await join(two, 2)).toMatchObject({ at: "joined" });
    await pass(10);
    open();
    expect(await first).toEqual({ at: "replaced" });
    expect(one.workers.current("w1")).toBeUndefined();
  });

  it("gives an agent a new epoch that its worker has let go, though the store did not say whether another has it", async () => {
    const { start, join } = world();
    const agent = { type: "writer", key: "1" };
    const one = await start(async (key, text, write) =>
      key.startsWith("claim.") && text.includes('"w2"') ? { at: "unknown" } : write(),
    );
    const joined = await join(one, 1);
    if (joined.at !== "joined") throw new Error(joined.at);
    expect(await one.types.registerShared("writer", joined.session, "")).toMatchObject({ at: "registered" });
    const first = await one.claims.claim(agent, "w1");
    if (first.at !== "held") throw new Error(first.at);
    const move = await one.claims.freeze(agent);
    expect(await move?.give("w2")).toBe("unknown");
    // It is not with another worker, as one learns that was wanted for it meanwhile.
    expect(one.claims.find(agent)).toBeUndefined();
    const second = await one.claims.claim(agent, "w1");
    if (second.at !== "held") throw new Error(second.at);
    expect(second.claim.epoch.number).toBeGreaterThan(first.claim.epoch.number);
  });

  it("takes a record of its own that is not there for a store that has forgotten writes", async () => {
    const { start, pass, memory } = world();
    const one = await start();
    await memory.purge(`host.${one.hostId}`);
    await pass(5_000);
    expect(await one.ended).toBe("store-lost");
  });

  it("takes a worker for gone whose record is not there when it is to be buried", async () => {
    const { start, pass, join, memory } = world();
    const [one, two] = [await start(), await start()];
    expect(await join(one, 1)).toMatchObject({ at: "joined" });
    await pass(10);
    expect(two.knownWorkers.isHere("w1")).toBe(true);
    one.abandon();
    await memory.purge(workerKey("w1"));
    await pass(40_000);
    expect([two.isServing, two.knownWorkers.isHere("w1"), [...two.knownWorkers.values()]]).toEqual([true, false, []]);
  });

  it("learns nothing from an announcement of another generation, since the store may have forgotten writes between", async () => {
    const { start, pass, memory } = world();
    const one = await start();
    const record = { workerId: "w1", session: 1, clientId: "c", kind: "troupe", name: "", version: "", labels: {} };
    const value = encodeRecord({ ...record, principal: "", state: "here", hostId: "another" });
    const announce = async (revision: number, generation: number) => {
      const entry = { key: workerKey("w1"), value, revision };
      memory.announce(encodeAnnouncement({ entry, generation }) ?? new Uint8Array());
      await pass(10);
    };
    await announce(1_000, one.generation + 1);
    expect(one.knownWorkers.get("w1")).toBeUndefined();
    await announce(500, one.generation);
    expect(one.knownWorkers.get("w1")?.revision).toBe(500);
  });

  it("begins a new life when the store has forgotten writes, with a larger generation", async () => {
    const { start, pass } = world();
    let shift = 0;
    const one = await start(async (_, __, write) => {
      const outcome = await write();
      return outcome.at === "written" ? { at: "written", revision: outcome.revision - shift } : outcome;
    });
    const two = await start();
    const { generation } = one;
    shift = 1_000_000;
    await pass(5_000);
    expect([await one.ended, await two.ended]).toEqual(["store-lost", "store-lost"]);
    expect(one.counters.storeRegressions).toBe(1);
    const next = await start();
    expect(next.generation).toBeGreaterThan(generation);
  });
});
