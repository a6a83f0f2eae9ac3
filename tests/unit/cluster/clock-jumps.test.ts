import { afterEach, describe, expect, it } from "vitest";
import { MemoryCoordinationStore } from "../../../src/cluster/index.ts";
import { ClusterMember } from "../../../src/cluster/internal.ts";
import type { Clock } from "../../../src/core/internal.ts";
import { simulatedTime } from "../../support/simulated-time.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const hourMs = 3_600_000;
const members: ClusterMember[] = [];

afterEach(() => {
  for (const member of members.splice(0)) member.abandon();
});

/** Two hosts. The wall clock of the first one can be set. */
async function world() {
  const { dice, clock, run, pass } = simulatedTime(1);
  const store = new MemoryCoordinationStore({ clock });
  const wall = { aheadMs: 0 };
  const settable: Clock = {
    now: () => clock.now(),
    wallNow: () => clock.wallNow() + wall.aheadMs,
    setTimer: (ms, callback) => clock.setTimer(ms, callback),
  };
  const serving: boolean[] = [];
  const start = async (label: string, ownClock: Clock) => {
    const member = new ClusterMember({
      ...{ store: store.reopen(), clock: ownClock, makeId: () => dice.id(), logger: silent },
      host: { label, peerAddress: `${label}:1`, workerAddress: `${label}:2` },
      listener: { onServing: (isServing) => void (label === "one" && serving.push(isServing)) },
    });
    members.push(member);
    await run(member.start());
    return member;
  };
  const one = await start("one", settable);
  const two = await start("two", clock);
  const outcome = await run(
    two.workers.join(
      {
        ...{ workerId: "w1", session: 1, clientId: "w1", kind: "troupe", name: "", version: "" },
        ...{ labels: {}, principal: "" },
      },
      { signal: new AbortController().signal, onOver: () => undefined },
    ),
  );
  if (outcome.at !== "joined") throw new Error(outcome.at);
  return { one, two, wall, pass, serving, session: outcome.session };
}

describe("a host whose wall clock", () => {
  it("is set forward loses its lease and has it again in the same life, and gives up no other host or worker", async () => {
    const { one, two, wall, pass, serving, session } = await world();
    wall.aheadMs = 30 * hourMs;
    await pass(60_000);
    expect(serving).toEqual([true, false, true]);
    expect(one.isServing && two.isServing).toBe(true);
    expect(session.isCurrent).toBe(true);
    for (const member of [one, two]) {
      expect(
        member.hosts
          .living()
          .map(({ label }) => label)
          .sort(),
      ).toEqual(["one", "two"]);
      expect(member.knownWorkers.isHere("w1")).toBe(true);
      expect(member.counters.burials + member.counters.deathsDeclared).toBe(0);
    }
  });

  it("is set back keeps its lease, and gives up no other host or worker", async () => {
    const { one, two, wall, pass, serving, session } = await world();
    wall.aheadMs = -30 * hourMs;
    await pass(60_000);
    expect(serving).toEqual([true]);
    expect(two.isServing && session.isCurrent).toBe(true);
    expect(one.counters.burials + one.counters.deathsDeclared).toBe(0);
  });
});
