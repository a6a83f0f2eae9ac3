import { afterEach, describe, expect, it } from "vitest";
import type { ClusterTimes } from "../../../src/cluster/cluster-times.ts";
import { MemoryCoordinationStore } from "../../../src/cluster/index.ts";
import { ClusterMember, type SessionEnd, type WorkerSession } from "../../../src/cluster/internal.ts";
import { workerKey } from "../../../src/cluster/records/store-keys.ts";
import { nextTurn } from "../../../src/core/internal.ts";
import { simulatedTime } from "../../support/simulated-time.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const members: ClusterMember[] = [];

afterEach(() => {
  for (const member of members.splice(0)) member.abandon();
});

function world() {
  const { dice, clock, run, pass } = simulatedTime(1);
  const store = new MemoryCoordinationStore({ clock });
  const ends: string[] = [];
  const clients: MemoryCoordinationStore[] = [];
  /** Takes the store away from all members. */
  const cutOff = () => Promise.all(clients.map((client) => client.close()));
  const newMember = (
    label: string,
    { mostGone, ...times }: Partial<ClusterTimes & { mostGone: number }> = {},
    mostTypes?: number,
  ) => {
    const host = { label, peerAddress: `${label}:1`, workerAddress: `${label}:2` };
    const client = store.reopen();
    clients.push(client);
    const member = new ClusterMember({
      store: client,
      host,
      clock,
      makeId: () => dice.id(),
      logger: silent,
      times,
      mostTypes,
      mostGone,
    });
    members.push(member);
    return member;
  };
  const start = async (label: string) => {
    const member = newMember(label);
    await run(member.start());
    return member;
  };
  const described = { name: "", version: "", labels: {}, principal: "" };
  const join = (member: ClusterMember, workerId: string, session: number, party = "") =>
    run(
      member.workers.join(
        { workerId, session, clientId: workerId, kind: "troupe", ...described },
        { signal: new AbortController().signal, party, onOver: (end: SessionEnd) => ends.push(`${workerId} ${end}`) },
      ),
    );
  const joined = async (member: ClusterMember, workerId: string, session = 1): Promise<WorkerSession> => {
    const outcome = await join(member, workerId, session);
    if (outcome.at !== "joined") throw new Error(outcome.at);
    await run(member.types.registerShared("writer", outcome.session, ""));
    return outcome.session;
  };
  return { clock, store, cutOff, run, pass, newMember, start, join, joined, ends, described };
}

const agent = { type: "writer", key: "7" };
const metaText = { id: "c1", generation: 7, leaseMs: 20_000, workerLeaseMs: 3_000 };

describe("a host in a cluster", () => {
  it("claims an agent for its worker, and another host's worker is told who has it", async () => {
    const { start, joined, run, pass } = world();
    const [one, two] = [await start("one"), await start("two")];
    await joined(one, "w1");
    await joined(two, "w2");
    await pass(10);
    expect(await run(one.claims.claim(agent, "w1"))).toMatchObject({
      at: "held",
      claim: { workerId: "w1", session: 1 },
    });
    expect(one.claims.find(agent)).toMatchObject({ workerId: "w1" });
    expect(await run(two.claims.claim(agent, "w2"))).toMatchObject({ at: "elsewhere", workerId: "w1" });
  });

  it("keeps a worker's agents when the worker joins another host, under the same epoch", async () => {
    const { start, joined, run, ends, pass } = world();
    const [one, two] = [await start("one"), await start("two")];
    await joined(one, "w1");
    const first = await run(one.claims.claim(agent, "w1"));
    await joined(two, "w1", 2);
    await pass(10);
    expect(ends).toEqual(["w1 elsewhere"]);
    expect(one.claims.find(agent)).toBeUndefined();
    const second = await run(two.claims.claim(agent, "w1"));
    if (first.at !== "held" || second.at !== "held") throw new Error("not held");
    expect(second.claim.epoch).toEqual(first.claim.epoch);
  });

  it("buries a lost worker when its lease is over and it has not come back, and its agents go to others", async () => {
    const { start, joined, join, run, pass } = world();
    const [one, two] = [await start("one"), await start("two")];
    const session = await joined(one, "w1");
    await joined(two, "w2");
    await run(one.claims.claim(agent, "w1"));
    expect(session.grantLease()).toBe(3_000);
    void one.workers.end(session, "lost");
    await pass(2_900);
    expect(two.knownWorkers.isHere("w1")).toBe(true);
    await pass(2_000);
    expect(two.knownWorkers.isHere("w1")).toBe(false);
    expect(await run(two.claims.claim(agent, "w2"))).toMatchObject({ at: "held", claim: { workerId: "w2" } });
    expect(await join(one, "w1", 2)).toEqual({ at: "void" });
  });

  it("is declared dead when it does not renew its lease, and its workers are buried", async () => {
    const { start, joined, pass } = world();
    const [one, two] = [await start("one"), await start("two")];
    await joined(one, "w1");
    one.abandon();
    await pass(17_000);
    expect(two.hosts.get(one.hostId)?.state).toBe("up");
    await pass(8_000);
    expect(two.hosts.get(one.hostId)?.state).toBe("dead");
    expect(two.knownWorkers.isHere("w1")).toBe(false);
  });

  it("is dead at once when it leaves, after the leases that it has granted are over", async () => {
    const { clock, start, joined, run } = world();
    const [one, two] = [await start("one"), await start("two")];
    const session = await joined(one, "w1");
    session.grantLease();
    const beganMs = clock.now();
    await run(one.leave());
    expect(await one.ended).toBe("left");
    expect(clock.now() - beganMs).toBeGreaterThanOrEqual(3_000);
    expect(clock.now() - beganMs).toBeLessThan(4_000);
    await nextTurn();
    expect(two.hosts.get(one.hostId)?.state).toBe("dead");
    expect(two.knownWorkers.isHere("w1")).toBe(false);
  });

  it("grants no lease when it is isolated, and none beyond its own before that", async () => {
    const { start, joined, cutOff, pass } = world();
    const one = await start("one");
    const session = await joined(one, "w1");
    expect(session.grantLease()).toBe(3_000);
    await cutOff();
    await pass(18_500);
    expect(session.grantLease()).toBeLessThan(3_000);
    await pass(1_500);
    expect([one.isServing, session.grantLease(), session.isCurrent]).toEqual([false, undefined, false]);
  });

  it("refuses to start with other time limits than the hosts that are there", async () => {
    const { start, newMember, run } = world();
    await start("one");
    await expect(run(newMember("two", { leaseMs: 5_000 }).start())).rejects.toThrow("leaseMs 20000");
  });

  it.each([
    ["that it can't read", "a second version", "can't read the record of its cluster"],
    ["of another form", { name: "x", lease: "PT20S" }, "can't read the record of its cluster"],
    ["that asks for newer hosts", { ...metaText, minProtocol: 2 }, "takes hosts with version 2"],
  ])("refuses to start on a record of the cluster %s, which stays as it is", async (_name, record, text) => {
    const { store, newMember, run } = world();
    const value = new TextEncoder().encode(JSON.stringify(record));
    await run(store.write("cluster.meta", value, 0));
    await expect(run(newMember("one").start())).rejects.toThrow(text);
    expect(await run(store.read("cluster.meta"))).toMatchObject({ value });
  });

  it("gives an exclusive type to one worker, and to the next when that is gone", async () => {
    const { start, joined, run, pass } = world();
    const [one, two] = [await start("one"), await start("two")];
    const first = await joined(one, "w1");
    const second = await joined(two, "w2");
    expect(await run(one.types.registerExclusive("clerk", first))).toMatchObject({ at: "registered" });
    expect(await run(two.types.registerExclusive("clerk", second))).toMatchObject({
      at: "taken",
      record: { workerId: "w1" },
    });
    expect(await run(two.types.registerExclusive("writer", second))).toMatchObject({ at: "taken" });
    await pass(10);
    const before = two.types.ownerOf("clerk");
    void one.workers.end(first, "left");
    await pass(10);
    expect(two.types.ownerOf("clerk")).toBeUndefined();
    await run(two.types.registerExclusive("clerk", second));
    expect(two.types.ownerOf("clerk")?.epoch.number).toBeGreaterThan(before?.epoch.number ?? 0);
  });

  it("gives the workers of one address two thirds of the names of types, at all hosts together", async () => {
    const { newMember, join, run, pass } = world();
    const [one, two] = [newMember("one", {}, 9), newMember("two", {}, 9)];
    for (const member of [one, two]) await run(member.start());
    const sessionOf = async (member: ClusterMember, workerId: string, party: string) => {
      const outcome = await join(member, workerId, 1, party);
      if (outcome.at !== "joined") throw new Error(outcome.at);
      return outcome.session;
    };
    const greedy = await sessionOf(one, "w1", "greedy");
    const elsewhere = await sessionOf(two, "w2", "greedy");
    const modest = await sessionOf(two, "w3", "modest");
    const register = async (member: ClusterMember, type: string, session: WorkerSession) =>
      (await run(member.types.registerExclusive(type, session))).at;
    for (let at = 0; at < 6; at += 1) {
      expect(await register(one, `type${at}`, greedy)).toBe("registered");
      if (at < 3) expect(await run(one.types.unregister(`type${at}`, greedy))).toBe(true);
    }
    await pass(10);
    expect(await register(one, "more", greedy)).toBe("share-full");
    expect(await register(two, "more", elsewhere)).toBe("share-full");
    expect(await run(two.types.registerShared("more", elsewhere, ""))).toEqual({ at: "share-full" });
    // A name that is there stays that of its first address, also with another worker.
    expect(await register(two, "type0", modest)).toBe("registered");
    expect(await register(one, "more", greedy)).toBe("share-full");
    for (const type of ["a", "b"]) expect(await register(two, type, modest)).toBe("registered");
    expect(await register(two, "c", modest)).toBe("share-full");
    await pass(10);
    expect(await register(one, "d", await sessionOf(one, "w4", "third"))).toBe("registered");
    expect(await register(two, "e", await sessionOf(two, "w5", "fourth"))).toBe("full");
  });

  it("purges the records of the workers that are gone for longest when there are too many", async () => {
    const { newMember, join, run, pass, store } = world();
    const one = newMember("one", { mostGone: 2 });
    await run(one.start());
    const sessions: WorkerSession[] = [];
    for (const workerId of ["w1", "w2", "w3", "w4"]) {
      const outcome = await join(one, workerId, 1);
      if (outcome.at === "joined") sessions.push(outcome.session);
    }
    for (const session of sessions.reverse()) await run(one.workers.end(session, "left"));
    await pass(2_000);
    // w4 and w3 left first.
    const left = await Promise.all(["w1", "w2", "w3", "w4"].map((id) => store.read(workerKey(id))));
    expect(left.map((entry) => entry !== undefined)).toEqual([true, true, false, false]);
    expect(await join(one, "w1", 1)).toEqual({ at: "void" });
  });

  it("takes two connections of a stock worker with one client id for one worker", async () => {
    const { start, run, ends, described } = world();
    const one = await start("one");
    const open = (name: string) =>
      one.workers.joinStock(
        { clientId: "c", ...described },
        { signal: new AbortController().signal, onOver: (end) => ends.push(`${name} ${end}`) },
      );
    const both = await run(Promise.all([open("first"), open("second")]));
    const ids = both.map((outcome) => (outcome.at === "joined" ? outcome.session.workerId : outcome.at));
    expect(ids[0]).toBe(ids[1]);
    expect(ends).toEqual(["first elsewhere"]);
  });

  it("moves an agent that its worker has let go, and makes no claim of it meanwhile", async () => {
    const { start, joined, run, pass } = world();
    const one = await start("one");
    await joined(one, "w1");
    await joined(one, "w2");
    await run(one.claims.claim(agent, "w1"));
    const move = await run(one.claims.freeze(agent));
    expect(one.claims.find(agent)).toBeUndefined();
    expect(await run(one.claims.claim(agent, "w1"))).toEqual({ at: "moving" });
    expect(await run(move?.give("w2") ?? Promise.resolve("lost"))).toBe("given");
    expect(await run(one.claims.claim(agent, "w1"))).toMatchObject({ at: "elsewhere", workerId: "w2" });
    expect(await run(one.claims.claim(agent, "w2"))).toMatchObject({ at: "held" });
    await pass(1);
    expect(one.claims.moving).toBe(0);
  });
});
