import { describe, expect, test } from "vitest";
import { AgentId, BaseAgent, SingleThreadedAgentRuntime } from "../../../../src/core/index.ts";
import { AgentCatalog } from "../../../../src/core/internal.ts";
import type { LeavingNotice, ReturnReason } from "../../../../src/protocol/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import type { ClaimedWork } from "../../../../src/worker/claims/claim.ts";
import { Claims } from "../../../../src/worker/claims/claims.ts";

const epochAt = (number: number) => ({ generation: 1, era: 2, number });
const ada = new AgentId("room", "ada");
/** The path of a call for which a turn of the agent waits. */
const path = [{ token: "h1", type: "room", key: "ada" }];
const connection = {};

class Room extends BaseAgent {
  protected override onMessageImpl(): void {}
}

/** The claims of a worker with a catalog of its own. `said`: the notices for the host, in short. */
function openClaims() {
  const catalog = new AgentCatalog({ runtime: new SingleThreadedAgentRuntime() });
  catalog.addFactory("room", () => new Room("a room"), { shared: true });
  const said: string[] = [];
  const send = (notice: LeavingNotice): boolean => {
    const agents = "agents" in notice ? notice.agents : [];
    said.push(`${notice.kind} ${"reason" in notice ? notice.reason : ""} ${agents.map(({ key }) => key).join(",")}`);
    return true;
  };
  const clock = new ManualClock();
  const claims = new Claims({ catalog: () => catalog, runs: () => ({ keeps: () => false }), clock, send });
  const admit = (number: number, id = ada, more = {}) =>
    claims.admit(id, epochAt(number), { from: connection, ...more });
  const take = (number: number, id = ada) => {
    const admission = admit(number, id);
    if (admission.at !== "taken") throw new Error(`it was ${admission.at}`);
    return admission.claim;
  };
  /** The notices leave in a microtask. */
  const flushed = async (): Promise<readonly string[]> => {
    await Promise.resolve();
    return said.splice(0);
  };
  return { catalog, claims, clock, admit, take, flushed };
}

function work(parts: Partial<ClaimedWork> = {}): ClaimedWork & { readonly returns: ReturnReason[] } {
  const returns: ReturnReason[] = [];
  return { mayGoBack: true, isAwaited: false, goBack: (reason) => returns.push(reason), returns, ...parts };
}

describe("a message for an agent that the host has placed here", () => {
  test("is taken under the newest epoch and under older ones, which the agent's claim stays", () => {
    const { claims, admit, take } = openClaims();
    const claim = take(5);
    expect(admit(5)).toMatchObject({ at: "taken", claim, isAwaited: false });
    expect(admit(4)).toMatchObject({ at: "taken", claim });
    expect(claims.epochOf(ada)).toEqual(epochAt(5));
    const newer = take(6);
    expect([newer === claim, claims.isCurrent(claim), claims.isCurrent(newer), claims.size]).toEqual([
      ...[false, false, true, 1],
    ]);
  });

  test("under a newer epoch makes the activation under the older one worthless", async () => {
    const { catalog, take } = openClaims();
    take(1);
    const first = await catalog.agentFor(ada);
    take(2);
    expect(catalog.isLive(ada)).toBe(false);
    expect(await catalog.agentFor(ada)).not.toBe(first);
  });

  test("goes back once the agent leaves, but for one that a turn of the agent waits for", () => {
    const { admit, take } = openClaims();
    const claim = take(1);
    claim.state = "leaving";
    expect(admit(1)).toEqual({ at: "returned", claim });
    expect(admit(1, ada, { path })).toEqual({ at: "taken", claim, isAwaited: true });
    expect(admit(1, ada, { path: [{ token: "h1", type: "room", key: "bea" }] })).toEqual({ at: "returned", claim });
  });

  test("goes back from a worthless activation, and one that a turn of it waits for is refused", () => {
    const { claims, admit, take } = openClaims();
    const claim = take(1);
    claims.spoil(ada, "stale");
    expect(admit(1)).toEqual({ at: "returned", claim });
    expect(admit(1, ada, { path })).toEqual({ at: "refused" });
  });

  test("that a turn of it waits for is refused while the agent leaves, if its activation became worthless before or since", () => {
    for (const isBefore of [true, false]) {
      const { claims, admit, take } = openClaims();
      const claim = take(1);
      if (isBefore) claims.spoil(ada, "stale");
      claim.state = "leaving";
      if (!isBefore) {
        expect(admit(1, ada, { path }).at).toBe("taken");
        claims.spoil(ada, "stale");
      }
      expect(admit(1, ada, { path })).toEqual({ at: "refused" });
      expect(admit(1)).toEqual({ at: "returned", claim });
    }
  });

  test("goes back when the agent has left under its epoch or a newer one, and makes it anew under a higher one", () => {
    const { claims, admit, take } = openClaims();
    claims.letGo(take(3));
    expect(claims.has(ada)).toBe(false);
    expect([admit(2).at, admit(3).at]).toEqual(["returned", "returned"]);
    expect(claims.has(ada)).toBe(false);
    expect(take(4).epoch).toEqual(epochAt(4));
  });

  test("goes back if its agent was among the last 10,000 that have left", () => {
    const { claims, admit, take } = openClaims();
    for (let at = 0; at < 10_000; at += 1) claims.letGo(take(1, new AgentId("room", `k${at}`)));
    expect(admit(1, new AgentId("room", "k0")).at).toBe("returned");
  });

  test("goes back as long as the names of the agents that have left since fit 4 MiB: long keys fill no memory", () => {
    const { claims, admit, take } = openClaims();
    const named = (at: number) => new AgentId("room", `${at}${"k".repeat(1_019)}`);
    for (let round = 0; round < 3; round += 1) claims.letGo(take(round, named(0)));
    for (let at = 1; at < 1_800; at += 1) claims.letGo(take(1, named(at)));
    expect(admit(2, named(0)).at).toBe("returned");
    for (let at = 1_800; at < 1_840; at += 1) claims.letGo(take(1, named(at)));
    expect(admit(2, named(0)).at).toBe("taken");
    expect(admit(1, named(1_839)).at).toBe("returned");
  });

  test("that the worker drops without the agent here asks the host to take the agent back", async () => {
    const { catalog, claims, flushed } = openClaims();
    claims.passedBy(ada, epochAt(1), connection);
    expect(await flushed()).toEqual(["ask-leave idle ada"]);
    const bea = new AgentId("room", "bea");
    const making = catalog.agentFor(bea);
    claims.passedBy(bea, epochAt(1), connection);
    await making;
    expect(await flushed()).toEqual([]);
  });
});

describe("the worker", () => {
  test("asks once, and again for a stronger reason only", async () => {
    const { claims, take, flushed } = openClaims();
    take(1);
    for (const reason of ["idle", "capacity", "asked", "idle", "failed", "asked", "stale"] as const)
      claims.ask(ada, reason);
    expect(await flushed()).toEqual(["ask-leave idle ada", "ask-leave asked ada", "ask-leave failed ada"]);
  });

  test("asks for nothing that it does not hold, or that leaves already", async () => {
    const { claims, take, flushed } = openClaims();
    claims.ask(ada, "asked");
    take(1).state = "leaving";
    claims.ask(ada, "failed");
    expect(await flushed()).toEqual([]);
  });

  test("asks for an idle agent anew when a message has come since, and keeps to an ask for another reason", async () => {
    const { claims, admit, take, flushed } = openClaims();
    take(1);
    claims.ask(ada, "idle");
    expect(await flushed()).toEqual(["ask-leave idle ada"]);
    admit(1);
    claims.ask(ada, "idle");
    expect(await flushed()).toEqual(["ask-leave idle ada"]);
    claims.ask(ada, "asked");
    admit(1);
    claims.ask(ada, "asked");
    expect(await flushed()).toEqual(["ask-leave asked ada"]);
  });

  test("asks for 10,000 agents at once, and for the next ones in their order as others have left", async () => {
    const { claims, take, flushed } = openClaims();
    const all = Array.from({ length: 10_003 }, (_, at) => take(1, new AgentId("room", `k${at}`)));
    for (const claim of all) claims.ask(claim, "idle");
    const lots = await flushed();
    expect(lots.map((lot) => lot.split(",").length)).toEqual(Array.from({ length: 10 }, () => 1_000));
    // This one gets a message while it waits to be asked for.
    claims.admit(all[10_000]?.id ?? ada, epochAt(1), { from: connection });
    const [first, second] = all;
    for (const claim of [first, second]) if (claim !== undefined) claims.notices.forget(claim);
    expect(await flushed()).toEqual(["ask-leave idle k10001,k10002"]);
  });

  test("is asked for again when the host has passed the ask by, each time after a longer wait", async () => {
    const { claims, clock, take, flushed } = openClaims();
    take(1);
    claims.ask(ada, "asked");
    expect(await flushed()).toEqual(["ask-leave asked ada"]);
    const asksIn = async (ms: number): Promise<number> => {
      let asks = 0;
      for (let at = 0; at < ms; at += 1_000) {
        clock.advance(1_000);
        asks += (await flushed()).length;
      }
      return asks;
    };
    expect([await asksIn(3_000), await asksIn(1_000), await asksIn(4_000), await asksIn(8_000)]).toEqual([0, 1, 1, 1]);
    expect(await asksIn(3_600_000)).toBeLessThanOrEqual(121);
    const claim = claims.of(ada);
    if (claim === undefined) throw new Error("the claim is gone");
    claim.state = "leaving";
    expect(await asksIn(3_600_000)).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  test("makes room for other asks when it stays after an ask that the host has passed by", async () => {
    const { claims, clock, take, flushed } = openClaims();
    const all = Array.from({ length: 10_001 }, (_, at) => take(1, new AgentId("room", `k${at}`)));
    for (const claim of all) claims.ask(claim, "idle");
    await flushed();
    claims.admit(all[0]?.id ?? ada, epochAt(1), { from: connection });
    clock.advance(2_000);
    clock.advance(2_000);
    expect((await flushed()).join().split(/[ ,]/)).toContain("k10000");
  });

  test("forgets with its host what it was told and what it has asked", async () => {
    const { claims, admit, take, flushed } = openClaims();
    const claim = take(1);
    claims.letGo(take(1, new AgentId("room", "gone")));
    claims.ask(ada, "idle");
    expect(claims.clear()).toEqual([claim]);
    expect(await flushed()).toEqual([]);
    expect(claims.size).toBe(0);
    expect(admit(1, new AgentId("room", "gone")).at).toBe("taken");
  });

  test("asks the next host for as many agents, however many the lost one has not answered for", async () => {
    const { claims, take, flushed } = openClaims();
    for (let at = 0; at < 10_000; at += 1) claims.ask(take(1, new AgentId("room", `k${at}`)), "idle");
    await flushed();
    claims.clear();
    claims.notices.askAgain();
    expect(await flushed()).toEqual([]);
    claims.ask(take(2), "idle");
    expect(await flushed()).toEqual(["ask-leave idle ada"]);
  });

  test("forgets what the host of one connection has placed, and keeps what the next one has told of since", () => {
    const { claims, take } = openClaims();
    const gone = take(1);
    const bea = new AgentId("room", "bea");
    take(1, bea);
    claims.admit(bea, epochAt(1), { from: {} });
    expect(claims.clearOf(connection)).toEqual([gone]);
    expect([claims.has(ada), claims.has(bea)]).toEqual([false, true]);
  });
});

describe("an activation that counts no more", () => {
  test.each([
    ["stale", "ask-leave stale ada", "leaving"],
    ["unfit", "ask-leave failed ada", "unfit"],
  ] as const)(
    "(%s) gives back what has not begun, and leaves to its turns what they wait for",
    async (why, asked, reason) => {
      const { claims, take, flushed } = openClaims();
      const claim = take(1);
      const [waiting, awaited, running] = [work(), work({ isAwaited: true }), work({ mayGoBack: false })];
      for (const one of [waiting, awaited, running]) claim.begin(one);
      claims.spoil(ada, why);
      expect([waiting.returns, awaited.returns, running.returns]).toEqual([[reason], [], []]);
      expect(await flushed()).toEqual([asked]);
    },
  );

  test("is spoilt once, and not made worthless while it leaves", () => {
    const { claims, take } = openClaims();
    const claim = take(1);
    claim.state = "leaving";
    const waiting = work();
    claim.begin(waiting);
    claims.spoil(ada, "stale");
    expect([claim.state, waiting.returns]).toEqual(["leaving", ["leaving"]]);
  });
});

describe("a request of the control channel", () => {
  test("keeps the agent until it is served, and then asks for one that was not made", async () => {
    const { claims, flushed } = openClaims();
    const served = await claims.during(ada, epochAt(1), connection, async () => {
      expect(claims.of(ada)?.isIdle).toBe(false);
      expect(claims.of(ada)?.unbegun()).toEqual([]);
      return "served";
    });
    expect(served).toBe("served");
    expect(await flushed()).toEqual(["ask-leave idle ada"]);
  });

  test("rejects for an agent that leaves", async () => {
    const { claims, take } = openClaims();
    take(1).state = "leaving";
    const during = claims.during(ada, epochAt(1), connection, async () => "served");
    await expect(during).rejects.toMatchObject({ code: "shutting-down", notHandled: true });
  });
});
