import { describe, expect, it } from "vitest";
import { hostTransports } from "../../support/host-transports.ts";
import { exact, RawWorker } from "../../support/raw-worker.ts";

const gone = "Client for agent type echo disconnected.";

describe.each(hostTransports)("a worker that says it is leaving, at the host over $name", ({ start }) => {
  it.each([
    ["is told so, if it is announced", true],
    ["sees what it saw before, if it is a stock peer", false],
  ])("the caller of what it left unanswered when it ended its channel %s", async (_who, isAnnounced) => {
    await using rig = await start();
    const target = await new RawWorker(rig.dial(), "T", { isAnnounced: true }).join();
    await target.register("echo");
    const caller = await new RawWorker(rig.dial(), "C", { isAnnounced }).join();
    caller.request("1", "echo/k");
    await target.nextRequest();
    target.send({ kind: "leaving", graceMs: 1_000 });
    target.stream.end();
    const stock = { agerrortype: "UndeliverableException", agerrorcode: "disconnected" };
    const metadata = { ...stock, ...(isAnnounced && { agnothandled: "1" }) };
    const answer = await caller.nextResponse();
    expect([answer.requestId, answer.error, answer.metadata]).toEqual(["1", gone, metadata]);
    caller.request("2", "echo/k");
    expect((await caller.nextResponse()).metadata).toEqual({ ...metadata, agerrorcode: "undeliverable" });
  });

  it("its caller is told that the call may have been handled when it was cut off", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.dial(), "T", { isAnnounced: true }).join();
    await target.register("echo");
    const caller = await new RawWorker(rig.dial(), "C", { isAnnounced: true }).join();
    caller.request("1", "echo/k");
    await target.nextRequest();
    target.send({ kind: "leaving", graceMs: 1_000 });
    target.stream.cancel();
    const { metadata } = await caller.nextResponse();
    expect(metadata).toEqual({ agerrortype: "UndeliverableException", agerrorcode: "disconnected" });
  });

  it("gives up its types and subscriptions, still answers, and still reaches its own agents", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.dial(), "T", { isAnnounced: true }).join();
    await target.register("echo");
    await target.subscribe("s", { kind: "type", topicType: "news", agentType: "echo" });
    const heir = await new RawWorker(rig.dial(), "H").join();
    const caller = await new RawWorker(rig.dial(), "C").join();
    caller.request("1", "echo/k");
    const { requestId } = await target.nextRequest();
    target.send({ kind: "leaving", graceMs: 1_000 });
    await target.settled();
    expect(rig.host.counters()).toMatchObject({ agentTypes: 0, subscriptions: 0 });
    target.request("own", "echo/other", { source: { type: "echo", key: "k" } });
    const own = await target.nextRequest();
    expect(own.target).toEqual({ type: "echo", key: "other" });
    target.respond(own.requestId, "mine");
    await target.nextResponse();
    await heir.register("echo");
    caller.request("2", "echo/k");
    heir.respond((await heir.nextRequest()).requestId, "heir");
    await caller.nextResponse();
    target.respond(requestId, "late");
    expect(await caller.nextResponse()).toMatchObject({ requestId: "1", error: "" });
  });

  it("registers nothing after the notice, so that nothing is left behind", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.dial(), "T", { isAnnounced: true }).join();
    await target.register("echo");
    target.send({ kind: "leaving", graceMs: 1_000 });
    await target.settled();
    await expect(target.register("echo")).rejects.toThrow("has said that it stops");
    await expect(target.subscribe("s", exact("news", "echo"))).rejects.toThrow("has said that it stops");
    expect(rig.host.counters()).toMatchObject({ agentTypes: 0, subscriptions: 0 });
  });

  it("is passed by where a stock peer sends the notice", async () => {
    await using rig = await start();
    const stock = await new RawWorker(rig.dial(), "T").join();
    await stock.register("echo");
    stock.send({ kind: "leaving", graceMs: 1_000 });
    await stock.settled();
    expect(rig.host.counters()).toMatchObject({ agentTypes: 1, emptyFrames: 1 });
  });
});
