import { afterEach, describe, expect, it } from "vitest";
import { MemoryCoordinationStore } from "../../../src/cluster/index.ts";
import { ClusterMember } from "../../../src/cluster/internal.ts";
import { encodeAnnouncement } from "../../../src/cluster/records/announcement.ts";
import { encodeRecord } from "../../../src/cluster/records/record-text.ts";
import { hostKey, serveKey, typeKey, workerKey } from "../../../src/cluster/records/store-keys.ts";
import { nextTurn } from "../../../src/core/internal.ts";
import { Dice, SimulatedClock } from "../../../src/testing/index.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
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
  const member = new ClusterMember({
    ...{ store, clock, makeId: () => dice.id(), logger: silent },
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
  return { member, other, pass, told };
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
