import { afterEach, describe, expect, it } from "vitest";
import { MemoryCoordinationStore } from "../../../src/cluster/index.ts";
import { ClusterMember, type WorkerSession } from "../../../src/cluster/internal.ts";
import { typeKey } from "../../../src/cluster/records/store-keys.ts";
import { compareEpochs } from "../../../src/core/internal.ts";
import { simulatedTime } from "../../support/simulated-time.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const hourMs = 3_600_000;
const members: ClusterMember[] = [];

afterEach(() => {
  for (const member of members.splice(0)) member.abandon();
});

/** Hosts of one cluster, which look at their duties each 10 minutes, so that days are short. */
function world(mostTypes = 100) {
  const { dice, clock, run, pass } = simulatedTime(1);
  const store = new MemoryCoordinationStore({ clock });
  const start = async (label: string, client = store.reopen()) => {
    const member = new ClusterMember({
      ...{ store: client, clock, makeId: () => dice.id(), logger: silent, mostTypes },
      host: { label, peerAddress: `${label}:1`, workerAddress: `${label}:2` },
      times: { leaseMs: 2 * hourMs, dutyMs: hourMs / 6, recordsKeptMs: 200 * hourMs },
    });
    members.push(member);
    await run(member.start());
    return member;
  };
  const join = async (member: ClusterMember, workerId: string, party = "") => {
    const outcome = await run(
      member.workers.join(
        {
          ...{ workerId, session: 1, clientId: workerId, kind: "troupe", name: "", version: "" },
          ...{ labels: {}, principal: "" },
        },
        { signal: new AbortController().signal, party, onOver: () => undefined },
      ),
    );
    if (outcome.at !== "joined") throw new Error(outcome.at);
    return outcome.session;
  };
  const leave = (member: ClusterMember, session: WorkerSession) => run(member.workers.end(session, "left"));
  const stored = (type: string) => run(store.read(typeKey(type)));
  return { start, join, leave, run, pass, stored, store };
}

describe("the name of an agent type", () => {
  it("is free again when no worker has served it for a day, and its next agents have later epochs", async () => {
    const { start, join, leave, run, pass, stored } = world();
    const [one, two] = [await start("one"), await start("two")];
    const first = await join(one, "w1");
    await run(one.types.registerExclusive("clerk", first));
    await run(one.types.registerShared("writer", first, ""));
    const before = one.types.ownerOf("clerk")?.epoch;
    const claim = await run(one.claims.claim({ type: "writer", key: "7" }, "w1"));
    await leave(one, first);
    await pass(26 * hourMs);
    for (const type of ["clerk", "writer"]) expect(await stored(type)).toBeDefined();
    await pass(26 * hourMs);
    for (const type of ["clerk", "writer"]) expect(await stored(type)).toBeUndefined();
    await pass(3 * hourMs);
    for (const member of [one, two]) expect(member.types.size).toBe(0);
    const later = await join(two, "w2");
    // What was shared may be exclusive now, and the other way round.
    await run(two.types.registerExclusive("writer", later));
    await run(two.types.registerShared("clerk", later, ""));
    if (before === undefined || claim.at !== "held") throw new Error("no epoch");
    const owner = two.types.ownerOf("writer");
    expect(compareEpochs(owner?.epoch ?? before, claim.claim.epoch)).toBeGreaterThan(0);
    const next = await run(two.claims.claim({ type: "clerk", key: "7" }, "w2"));
    expect(next.at === "held" && compareEpochs(next.claim.epoch, before)).toBeGreaterThan(0);
  });

  it("stays while a worker serves it, also one that comes back after a mark", async () => {
    const { start, join, leave, run, pass, stored } = world();
    const one = await start("one");
    const first = await join(one, "w1");
    const second = await join(one, "w2");
    await run(one.types.registerShared("served", second, ""));
    await run(one.types.registerShared("writer", first, ""));
    await leave(one, first);
    await pass(20 * hourMs);
    expect(one.types.get("writer")?.isUnserved).toBe(true);
    await run(one.types.registerShared("writer", second, ""));
    expect(one.types.get("writer")?.isUnserved).toBeUndefined();
    await pass(60 * hourMs);
    for (const type of ["served", "writer"]) expect(await stored(type)).toBeDefined();
    expect(one.counters.namesFreed).toBe(0);
  });

  it("stays while one of its agents has a claim, though its worker serves the type no more", async () => {
    const { start, join, run, pass, stored } = world();
    const one = await start("one");
    const session = await join(one, "w1");
    await run(one.types.registerShared("writer", session, ""));
    await run(one.claims.claim({ type: "writer", key: "7" }, "w1"));
    await run(one.types.unregister("writer", session));
    await pass(80 * hourMs);
    expect(await stored("writer")).toBeDefined();
  });

  it("is registered or given free, whichever is first, and a purge that comes late removes no registration", async () => {
    const { start, join, leave, run, pass, stored, store } = world();
    const purges: (() => Promise<void>)[] = [];
    const late = store.reopen();
    const { purge } = late;
    late.purge = async (...given) => {
      if (given[0] === typeKey("clerk")) purges.push(() => purge.apply(late, given));
    };
    const one = await start("one", late);
    const first = await join(one, "w1");
    await run(one.types.registerExclusive("clerk", first));
    const second = await join(one, "w2");
    await leave(one, first);
    while (purges.length === 0) await pass(hourMs);
    expect(one.types.get("clerk")?.isRetired).toBe(true);
    expect(await run(one.types.registerExclusive("clerk", second))).toMatchObject({ at: "registered" });
    for (const act of purges) await act();
    expect(await stored("clerk")).toBeDefined();
    expect(one.types.ownerOf("clerk")?.workerId).toBe("w2");
  });

  it("counts for no address any more when it is free", async () => {
    const { start, join, leave, run, pass } = world(3);
    const [one, two] = [await start("one"), await start("two")];
    const greedy = await join(one, "w1", "greedy");
    for (const type of ["a", "b"]) await run(one.types.registerExclusive(type, greedy));
    expect((await run(one.types.registerExclusive("c", greedy))).at).toBe("share-full");
    await leave(one, greedy);
    await pass(60 * hourMs);
    const again = await join(two, "w2", "greedy");
    for (const type of ["c", "d"]) expect((await run(two.types.registerExclusive(type, again))).at).toBe("registered");
    expect((await run(two.types.registerExclusive("e", again))).at).toBe("share-full");
  });
});
