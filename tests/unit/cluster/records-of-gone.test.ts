import { afterEach, describe, expect, it } from "vitest";
import { type CoordinationStore, MemoryCoordinationStore } from "../../../src/cluster/index.ts";
import { ClusterMember, type WorkerSession } from "../../../src/cluster/internal.ts";
import { encodeRecord } from "../../../src/cluster/records/record-text.ts";
import { serveKey, typeKey, workerKey } from "../../../src/cluster/records/store-keys.ts";
import { simulatedTime } from "../../support/simulated-time.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const hourMs = 3_600_000;
const members: ClusterMember[] = [];

afterEach(() => {
  for (const member of members.splice(0)) member.abandon();
});

/** Hosts of one cluster, which look at their duties each 10 minutes, so that days are short. */
function world() {
  const { dice, clock, run, pass } = simulatedTime(1);
  const store = new MemoryCoordinationStore({ clock });
  const start = async (label: string, client: CoordinationStore = store.reopen()) => {
    const member = new ClusterMember({
      ...{ store: client, clock, makeId: () => dice.id(), logger: silent },
      host: { label, peerAddress: `${label}:1`, workerAddress: `${label}:2` },
      times: { leaseMs: 2 * hourMs, dutyMs: hourMs / 6, recordsKeptMs: 48 * hourMs },
    });
    members.push(member);
    await run(member.start());
    return member;
  };
  const join = async (member: ClusterMember, workerId: string) => {
    const outcome = await run(
      member.workers.join(
        {
          ...{ workerId, session: 1, clientId: workerId, kind: "troupe", name: "", version: "" },
          ...{ labels: {}, principal: "" },
        },
        { signal: new AbortController().signal, onOver: () => undefined },
      ),
    );
    if (outcome.at !== "joined") throw new Error(outcome.at);
    return outcome.session;
  };
  const leave = (member: ClusterMember, session: WorkerSession) => run(member.workers.end(session, "left"));
  const keys = async () => {
    const found = ["clerk", "writer"].map(typeKey);
    found.push(workerKey("w1"), workerKey("w2"), serveKey("writer", "w1"), serveKey("writer", "w2"));
    const entries = await Promise.all(found.map(async (key) => ((await store.read(key)) === undefined ? [] : [key])));
    return entries.flat();
  };
  return { start, join, leave, run, pass, keys, store };
}

/** A store whose servers lose the first requests to purge each key. */
function losingPurges(store: MemoryCoordinationStore, lost: number): CoordinationStore {
  const losses = new Map<string, number>();
  const { purge } = store;
  store.purge = async (...given) => {
    const before = losses.get(given[0]) ?? 0;
    losses.set(given[0], before + 1);
    if (before >= lost) await purge.apply(store, given);
  };
  return store;
}

describe("long after a worker is gone", () => {
  it("the store keeps nothing of what it served, also if the store has forgotten the worker alone", async () => {
    const { start, join, run, pass, keys, store } = world();
    const one = await start("one");
    // A power failure has taken the record of w1. What w1 served was written after that.
    await run(
      store.write(serveKey("writer", "w1"), encodeRecord({ type: "writer", workerId: "w1", isEnded: false }), 0),
    );
    const session = await join(one, "w2");
    await run(one.types.registerShared("writer", session, ""));
    await pass(24 * hourMs);
    expect(await keys()).toContain(serveKey("writer", "w1"));
    await pass(26 * hourMs);
    expect(await keys()).toEqual([typeKey("writer"), workerKey("w2"), serveKey("writer", "w2")]);
    expect(one.types.serversOf("writer").map(({ workerId }) => workerId)).toEqual(["w2"]);
  });

  it("the store keeps none of its records, also if it has lost requests to purge them", async () => {
    const { start, join, leave, run, pass, keys, store } = world();
    const one = await start("one", losingPurges(store.reopen(), 2));
    const session = await join(one, "w1");
    await run(one.types.registerShared("writer", session, ""));
    await run(one.types.registerExclusive("clerk", session));
    await leave(one, session);
    await pass(60 * hourMs);
    expect(await keys()).toEqual([]);
    expect(one.types.size).toBe(0);
    expect([...one.knownWorkers.values()]).toEqual([]);
  });

  it("the store has no record of a dead host, also if it has lost requests to purge it", async () => {
    const { start, run, pass, store } = world();
    const one = await start("one", losingPurges(store.reopen(), 2));
    const two = await start("two");
    await run(two.leave());
    await pass(60 * hourMs);
    expect(await run(store.read(`host.${two.hostId}`))).toBeUndefined();
    expect(one.hosts.aged().map(({ record }) => record.hostId)).toEqual([one.hostId]);
  });

  it("the store keeps nothing of a type that it had ceased to serve before this host started", async () => {
    const { start, join, leave, run, pass, keys, store } = world();
    const one = await start("one");
    const session = await join(one, "w1");
    await run(one.types.registerShared("writer", session, ""));
    await run(one.types.unregister("writer", session));
    const two = await start("two");
    await leave(one, session);
    await run(one.leave());
    await pass(47 * hourMs);
    expect(await keys()).toContain(serveKey("writer", "w1"));
    // The new host knows the worker as gone, and purges both records in the same look.
    while ((await run(store.read(workerKey("w1")))) !== undefined) await pass(hourMs / 6);
    await pass(1);
    expect(await keys()).not.toContain(serveKey("writer", "w1"));
    expect(two.isServing).toBe(true);
  });

  it("the store keeps what a worker serves of which only this host does not know", async () => {
    const { start, join, run, pass, keys, store } = world();
    const behind = store.reopen();
    const { watch } = behind;
    // Of workers the watch of the second host tells nothing, and no announcement comes.
    behind.watch = (prefix, watcher) =>
      watch.call(behind, prefix, prefix === "worker." ? { ...watcher, onEntry: () => undefined } : watcher);
    behind.onAnnouncement = () => () => undefined;
    const one = await start("one");
    const two = await start("two", behind);
    const session = await join(one, "w1");
    await run(one.types.registerShared("writer", session, ""));
    expect(two.knownWorkers.get("w1")).toBeUndefined();
    await pass(60 * hourMs);
    expect(await keys()).toContain(serveKey("writer", "w1"));
    expect(two.knownWorkers.isHere("w1")).toBe(true);
  });
});
