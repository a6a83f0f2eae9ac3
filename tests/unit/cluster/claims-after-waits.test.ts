import { describe, expect, it } from "vitest";
import { ClusterClaims, type ClusterClaimsOptions } from "../../../src/cluster/claims/cluster-claims.ts";
import { HeldClaimsMap } from "../../../src/cluster/claims/held-claims.ts";
import { defaultTimes } from "../../../src/cluster/cluster-times.ts";
import { type CoordinationStore, MemoryCoordinationStore } from "../../../src/cluster/index.ts";
import { createClusterCounters } from "../../../src/cluster/life.ts";
import { LifeStore } from "../../../src/cluster/life-store.ts";
import { encodeClaim } from "../../../src/cluster/records/claim-record.ts";
import { claimKey } from "../../../src/cluster/records/store-keys.ts";

const agent = { type: "writer", key: "7" };

/** The claims of a host whose worker, type and store a test changes while a write is under way. */
function world() {
  const memory = new MemoryCoordinationStore();
  const held = new HeldClaimsMap();
  const now = { session: { workerId: "one", number: 1, isCurrent: true }, era: 1, isServing: true };
  /** Called before the store gets a write. */
  let onWrite: () => void = () => undefined;
  let writes = 0;
  const store: CoordinationStore = {
    read: (key) => memory.read(key),
    watch: (prefix, watcher) => memory.watch(prefix, watcher),
    purge: (...given) => memory.purge(...given),
    announce: (bytes) => memory.announce(bytes),
    onAnnouncement: (listener) => memory.onAnnouncement(listener),
    close: () => memory.close(),
    write: (key, value, expected) => {
      writes += 1;
      onWrite();
      return memory.write(key, value, expected);
    },
  };
  const options = {
    life: {
      ...{
        hostId: "h",
        store: new LifeStore(
          store,
          () => undefined,
          () => undefined,
        ),
        times: defaultTimes,
      },
      ...{ counters: createClusterCounters(), makeId: () => "id", now: () => 0, monotonicNow: () => 0 },
      ...{ isServing: () => now.isServing, leaseLeftMs: () => 1, generation: () => 1, isOver: () => false },
      ...{ announce: () => undefined, pause: () => Promise.resolve() },
    },
    held,
    workers: { isGone: async () => false },
    types: { get: () => ({ mode: "shared", type: "writer", terms: "", era: now.era }) },
    current: () => now.session,
  };
  // Only these members are used.
  const claims = new ClusterClaims(options as unknown as ClusterClaimsOptions);
  return {
    ...{ memory, held, now, claims },
    whileWriting: (change: () => void) => {
      onWrite = change;
    },
    get writes() {
      return writes;
    },
  };
}

/** The worker has another connection: what its older session had is over. */
function nextSession({ now, claims }: Pick<ReturnType<typeof world>, "now" | "claims">): void {
  now.session.isCurrent = false;
  now.session = { workerId: "one", number: now.session.number + 1, isCurrent: true };
  claims.forgetOf("one");
}

describe("a claim counts only if it still does after the wait for its write (rule R2)", () => {
  it("not for a worker whose session is over by then", async () => {
    const rig = world();
    rig.whileWriting(() => nextSession(rig));
    expect(await rig.claims.claim(agent, "one")).toEqual({ at: "unavailable", reason: "no-session" });
    expect(rig.held.size).toBe(0);
    rig.whileWriting(() => undefined);
    expect(await rig.claims.claim(agent, "one")).toMatchObject({ at: "held", claim: { session: 2 } });
  });

  it("not for a type that is another one by then", async () => {
    const rig = world();
    rig.whileWriting(() => {
      rig.now.era = 2;
    });
    expect((await rig.claims.claim(agent, "one")).at).toBe("unavailable");
    expect(rig.claims.find(agent)).toBeUndefined();
  });

  it("and is not written again after a conflict when the session is over", async () => {
    const rig = world();
    await rig.memory.write(claimKey(agent), encodeClaim(agent, "one", { generation: 1, era: 1 }), 0);
    rig.whileWriting(() => nextSession(rig));
    expect((await rig.claims.claim(agent, "one")).at).toBe("unavailable");
    expect(rig.writes).toBe(1);
  });
});

describe("an agent is given only by the session that has let it go (rule R2)", () => {
  it("not when the worker has another session by then", async () => {
    const rig = world();
    await rig.claims.claim(agent, "one");
    const move = await rig.claims.freeze(agent);
    const { writes } = rig;
    rig.now.session = { workerId: "one", number: 2, isCurrent: true };
    expect(await move?.give("two")).toBe("lost");
    expect(rig.writes).toBe(writes);
  });

  it("not when the type is another one by then", async () => {
    const rig = world();
    await rig.claims.claim(agent, "one");
    const move = await rig.claims.freeze(agent);
    const { writes } = rig;
    rig.now.era = 2;
    expect(await move?.give("two")).toBe("lost");
    expect(rig.writes).toBe(writes);
  });
});
