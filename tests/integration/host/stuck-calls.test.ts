import { describe, expect, it } from "vitest";
import { hostTransports } from "../../support/host-transports.ts";
import { RawWorker } from "../../support/raw-worker.ts";

const troupe = { isAnnounced: true, metadata: { agcaps: "turns" } } as const;

describe.each(hostTransports)("calls that are reported to wait for their turn, over $name", ({ start }) => {
  /** Workers A and B. A turn of `a` calls `b`, and a turn of `b` calls `a`; the host names these turns and their calls. */
  async function open() {
    const rig = await start();
    const a = await new RawWorker(rig.dial(), "A", troupe).join();
    await a.register("a");
    const b = await new RawWorker(rig.dial(), "B", troupe).join();
    await b.register("b");
    a.request("1", "b/k", { metadata: { agpath: "ta@a/k" } });
    const toB = (await b.nextRequest()).requestId;
    b.request("2", "a/k", { metadata: { agpath: "tb@b/k" } });
    const toA = (await a.nextRequest()).requestId;
    const heldBefore = rig.host.counters().heldBytes;
    const reports = {
      /** `b` says that the call waits behind its turn. */
      fromB: (text = toB) => b.send({ kind: "stuck", requestId: text, path: "ta@a/k", behind: ["tb"] }),
      fromA: (text = toA) => a.send({ kind: "stuck", requestId: text, path: "tb@b/k", behind: ["other", "ta"] }),
    };
    return { rig, a, b, toA, toB, heldBefore, ...reports, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() };
  }

  it("fail as deadlock if they wait for each other: the one that was reported last", async () => {
    await using world = await open();
    const { rig, a, b, toB } = world;
    world.fromA();
    await a.settled();
    world.fromB();
    const { requestId, error, metadata } = await a.nextResponse();
    expect(requestId).toBe("1");
    expect(error).toContain("These calls wait for each other: a/k → b/k → a/k.");
    expect(metadata).toMatchObject({ agerrorcode: "deadlock", agerrortype: "HandlerError" });
    expect(await b.nextCancel()).toEqual({ kind: "cancel", requestId: toB, reason: "cancelled" });
    expect(rig.host.counters()).toMatchObject({ deadlockedCalls: 1, failedCalls: expect.any(Number), pendingCalls: 1 });
  });

  it.each([
    ["is pending", "never", 1],
    ["was given up before the reports", "before", 0],
    ["was given up between the reports", "between", 0],
  ])("wait for each other by way of the handler of a call that %s: %s", async (_which, when, deadlockedCalls) => {
    await using world = await open();
    const { rig, a, b } = world;
    const c = await new RawWorker(rig.dial(), "C", troupe).join();
    await c.register("c");
    // The turn of `a` calls `c`, whose handler calls `b`.
    a.request("3", "c/k", { metadata: { agpath: "ta@a/k" } });
    const path = `ta@a/k,${(await c.nextRequest()).requestId}@c/k`;
    c.request("4", "b/k", { metadata: { agpath: path } });
    const { requestId } = await b.nextRequest();
    const giveUp = async () => {
      a.send({ kind: "cancel", requestId: "3", reason: "timed-out" });
      await c.nextCancel();
    };
    if (when === "before") await giveUp();
    b.send({ kind: "stuck", requestId, path, behind: ["tb"] });
    await b.settled();
    if (when === "between") await giveUp();
    world.fromA();
    await a.settled();
    expect(rig.host.counters()).toMatchObject({ deadlockedCalls });
  });

  it("are forgotten when they end, with the memory of their reports", async () => {
    await using world = await open();
    const { rig, a, b, toA, toB, heldBefore } = world;
    world.fromA();
    await a.settled();
    expect(rig.host.counters().heldBytes).toBeGreaterThan(heldBefore);
    a.respond(toA, "done");
    await b.nextResponse();
    expect(rig.host.counters().heldBytes).toBeLessThan(heldBefore);
    world.fromB();
    expect(await b.settled()).toEqual([]);
    b.respond(toB, "done");
    await a.nextResponse();
    expect(rig.host.counters()).toMatchObject({ deadlockedCalls: 0, pendingCalls: 0 });
  });

  it("wait on if their report was taken back", async () => {
    await using world = await open();
    const { a, b, toA } = world;
    world.fromA();
    a.send({ kind: "unstuck", requestId: toA });
    await a.settled();
    world.fromB();
    expect(await b.settled()).toEqual([]);
    expect(await a.settled()).toEqual([]);
  });

  it("wait on if another worker than their target reports them, or no call is named", async () => {
    await using world = await open();
    const { rig, a, b, toA, toB } = world;
    world.fromA(toB);
    world.fromB(toA);
    world.fromA("nonsense");
    a.send({ kind: "stuck", requestId: toA, path: "", behind: ["ta"] });
    a.send({ kind: "stuck", requestId: toA, path: "tb@b/k", behind: [] });
    a.send({ kind: "stuck", requestId: toA, path: "tb@b/k", behind: Array(101).fill("ta") });
    a.send({ kind: "stuck", requestId: toA, path: "tb@b/k", behind: ["ta".repeat(1_000)] });
    expect(await a.settled()).toEqual([]);
    expect(await b.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ unmatchedReports: 7, deadlockedCalls: 0 });
  });

  it("are not taken from a worker that does not name turns", async () => {
    await using world = await open();
    const { rig, a } = world;
    const other = await new RawWorker(rig.dial(), "O", { isAnnounced: true, metadata: { agcaps: "heartbeat" } }).join();
    await other.register("other");
    a.request("3", "other/k", { metadata: { agpath: "ta@a/k" } });
    const { requestId } = await other.nextRequest();
    other.send({ kind: "stuck", requestId, path: "ta@a/k", behind: ["ta"] });
    expect(await other.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ emptyFrames: 1, deadlockedCalls: 0 });
  });
});
