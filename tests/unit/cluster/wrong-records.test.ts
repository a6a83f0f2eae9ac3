import { afterEach, describe, expect, it } from "vitest";
import { MemoryCoordinationStore } from "../../../src/cluster/index.ts";
import { ClusterMember } from "../../../src/cluster/internal.ts";
import { encodeAnnouncement } from "../../../src/cluster/records/announcement.ts";
import { encodeRecord } from "../../../src/cluster/records/record-text.ts";
import { hostKey, serveKey, typeKey, workerKey } from "../../../src/cluster/records/store-keys.ts";
import { nextTurn } from "../../../src/core/internal.ts";
import { Dice, SimulatedClock } from "../../../src/testing/index.ts";

const nothing = (): void => undefined;
const members: ClusterMember[] = [];

afterEach(() => {
  for (const member of members.splice(0)) member.abandon();
});

/** A host in a cluster, and a client of its store that writes and announces what a test says. */
async function openWorld() {
  const dice = new Dice(1);
  const clock = new SimulatedClock(dice);
  const other = new MemoryCoordinationStore({ clock });
  const store = other.reopen();
  const told: string[] = [];
  const logged: string[] = [];
  const member = new ClusterMember({
    ...{
      store,
      clock,
      makeId: () => dice.id(),
      logger: { debug: nothing, info: nothing, warn: nothing, error: (text: string) => void logged.push(text) },
    },
    host: { label: "one", peerAddress: "one:1", workerAddress: "one:2" },
    listener: {
      onHost: ({ hostId, state }) => void told.push(`host ${hostId} ${state}`),
      onWorker: ({ workerId, state }) => void told.push(`worker ${workerId} ${state}`),
    },
  });
  members.push(member);
  const pass = async (ms: number): Promise<void> => {
    let isOver = false;
    clock.setTimer(ms, () => {
      isOver = true;
    });
    for (await nextTurn(); !isOver; await nextTurn()) clock.runNext();
  };
  void member.start();
  await pass(50);
  told.length = 0;
  return { member, store, other, pass, told, logged };
}

/** Joins a worker of the host. */
async function join(member: ClusterMember, pass: (ms: number) => Promise<void>) {
  const { state: _state, hostId: _hostId, ...own } = worker;
  const joining = member.workers.join(
    { ...own, kind: "troupe" },
    { signal: new AbortController().signal, onOver: () => undefined },
  );
  await pass(1_000);
  const joined = await joining;
  if (joined.at !== "joined") throw new Error("It joins.");
  return joined.session;
}

function announced({ generation }: ClusterMember, key: string, value: Uint8Array): Uint8Array | undefined {
  return encodeAnnouncement({ entry: { key, value, revision: 1_000 }, generation });
}

const host = {
  ...{ hostId: "h9", state: "up", renewals: 1, label: "", peerAddress: "", workerAddress: "", leaseMs: 20_000 },
} as const;
const worker = {
  ...{ workerId: "w9", state: "here", hostId: "h9", session: 1, clientId: "c9", kind: "troupe" },
  ...{ name: "", version: "", labels: {}, principal: "" },
} as const;

describe("a record under the key of another", () => {
  it("is not believed, whether it is told or announced", async () => {
    const { member, other, pass, told } = await openWorld();
    const type = { mode: "exclusive", type: "writer", workerId: "w9", principal: "", generation: 0, era: 0 };
    const serve = { type: "writer", workerId: "w9", isEnded: false };
    for (const [key, record] of [
      [hostKey("h1"), host],
      [workerKey("w1"), worker],
      [typeKey("reader"), type],
      [serveKey("reader", "w1"), serve],
    ] as const) {
      await other.write(key, encodeRecord(record), 0);
      other.announce(announced(member, key, encodeRecord(record)) ?? new Uint8Array(0));
    }
    await pass(1_000);
    expect(told).toEqual([]);
    expect([member.hosts.get("h1"), member.hosts.get("h9"), member.knownWorkers.get("w1")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect([member.types.get("reader"), member.types.get("writer")]).toEqual([undefined, undefined]);
    expect(member.types.serversOf("writer")).toEqual([]);
  });
});

/** A record with a field of a later version that takes five times as much when it is written again. */
function growing(record: object): Uint8Array {
  const text = JSON.stringify(record).slice(0, -1);
  return new TextEncoder().encode(`${text},"later":[${Array.from({ length: 12_000 }, () => "9e20").join(",")}]}`);
}

describe("a record that is longer when another host writes it again", () => {
  it("of a host is declared dead", async () => {
    const { member, other, pass, told } = await openWorld();
    await other.write(hostKey("h9"), growing({ ...host, leaseMs: 1_000 }), 0);
    await pass(10_000);
    expect(told).toEqual(["host h9 up", "host h9 dead"]);
    expect(member.counters.deathsDeclared).toBe(1);
  });

  it("of a worker is buried", async () => {
    const { member, other, pass, told } = await openWorld();
    await other.write(workerKey("w9"), growing(worker), 0);
    await pass(60_000);
    expect(told).toEqual(["worker w9 here", "worker w9 gone"]);
    expect(member.counters.burials).toBe(1);
  });
});

describe("a record that can't be read", () => {
  it.each([
    ["is no JSON", new Uint8Array([0xff, 0xfe])],
    ["is too long", encodeRecord({ ...host, label: "x".repeat(64 * 1_024 - 200) })],
    ["has bytes that are no text", Buffer.from(JSON.stringify({ ...host, label: "?" }).replace("?", "\xff"), "latin1")],
  ])("changes nothing: it %s", async (_name, value) => {
    const { member, other, pass, told } = await openWorld();
    await other.write(hostKey("h9"), value, 0);
    await pass(60_000);
    expect(told).toEqual([]);
    expect(member.isServing).toBe(true);
  });

  it("in place of a host's own is written anew, and the host serves on", async () => {
    const { member, other, pass } = await openWorld();
    const key = hostKey(member.hostId);
    const found = await other.read(key);
    if (found === undefined || found === "unknown") throw new Error("The host has a record.");
    await other.write(key, new Uint8Array([0xff]), found.revision);
    await pass(60_000);
    expect(member.isServing).toBe(true);
  });

  it("of a type has an era that no epoch can have, and the type can be registered", async () => {
    const { member, other, pass } = await openWorld();
    await other.write(typeKey("room"), encodeRecord({ mode: "shared", type: "room", terms: "", era: 2 ** 32 }), 0);
    const joined = await join(member, pass);
    const outcome = member.types.registerShared("room", joined, "{}");
    await pass(1_000);
    expect(await outcome).toMatchObject({ at: "registered", record: { era: 1 } });
  });
});

describe("a store that rejects", () => {
  it("ends no process: what it was asked counts as not answered", async () => {
    const { member, store, pass, logged } = await openWorld();
    store.write = () => Promise.reject(new TypeError("a bug of the store"));
    store.read = () => Promise.reject(new TypeError("a bug of the store"));
    store.purge = () => Promise.reject(new TypeError("a bug of the store"));
    await pass(60_000);
    expect(member.isServing).toBe(false);
    expect(logged.filter((text) => text.includes("has failed")).length).toBe(1);
  });
});

function inPlaceOf(hostId: string): object {
  return { ...worker, hostId };
}

describe("a worker whose record another host has purged", () => {
  it("is gone", async () => {
    const { member, other, pass, told } = await openWorld();
    await other.write(workerKey("w9"), encodeRecord(worker), 0);
    await pass(10);
    await other.purge(workerKey("w9"));
    await pass(10_000);
    expect(told).toEqual(["worker w9 here", "worker w9 gone"]);
    expect(member.knownWorkers.get("w9")).toBeUndefined();
  });
});

describe("what only announcements have named", () => {
  it.each([
    ["a host", hostKey("h9"), () => host, ["host h9 up", "host h9 dead"]],
    ["a worker of a host that is not there", workerKey("w9"), () => worker, ["worker w9 here", "worker w9 gone"]],
    ["a worker of a host that is there", workerKey("w9"), inPlaceOf, ["worker w9 here", "worker w9 gone"]],
  ] as const)("is let go of: %s", async (_name, key, recordFor, expected) => {
    const { member, other, pass, told } = await openWorld();
    const value = encodeRecord(recordFor(member.hostId));
    other.announce(announced(member, key, value) ?? new Uint8Array(0));
    await pass(60_000);
    expect(told).toEqual(expected);
    expect([member.hosts.get("h9"), member.knownWorkers.get("w9")]).toEqual([undefined, undefined]);
    expect(member.counters.storeRegressions).toBe(0);
  });

  it("is let go of: a worker of another host that lives", async () => {
    const { member, other, pass, told } = await openWorld();
    await other.write(hostKey("h9"), encodeRecord({ ...host, leaseMs: 1_000_000 }), 0);
    const value = encodeRecord(worker);
    other.announce(announced(member, workerKey("w9"), value) ?? new Uint8Array(0));
    await pass(60_000);
    expect(told).toEqual(["host h9 up", "worker w9 here", "worker w9 gone"]);
    expect(member.knownWorkers.get("w9")).toBeUndefined();
  });

  it("is bounded, and a worker that is told later is known", async () => {
    const { member, other, pass } = await openWorld();
    for (let number = 0; number < 6_000; number += 1) {
      const workerId = `w${number}`;
      const entry = { key: workerKey(workerId), value: encodeRecord({ ...worker, workerId, hostId: member.hostId }) };
      const bytes = announced(member, entry.key, entry.value);
      if (bytes !== undefined) other.announce(bytes);
    }
    await nextTurn();
    expect([...member.knownWorkers.values()].length).toBe(4_096);
    const late = { ...worker, workerId: "late", hostId: member.hostId };
    await other.write(workerKey("late"), encodeRecord(late), 0);
    await pass(10);
    expect(member.knownWorkers.isHere("late")).toBe(true);
  });
});
