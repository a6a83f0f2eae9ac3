import { describe, expect, it } from "vitest";
import type { HostOccurrence } from "../../../src/host/index.ts";
import { hostTransports } from "../../support/host-transports.ts";
import { exact, RawWorker } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

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

  it("reaches no agent of a shared type that it gave up, which might begin elsewhere, too", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.dial(), "T", { isAnnounced: true }).join();
    await target.register("room", { agshared: "1" });
    await target.register("own");
    target.send({ kind: "leaving", graceMs: 1_000 });
    target.request("1", "room/k", { source: { type: "own", key: "k" } });
    expect((await target.nextResponse()).error).toBe("Agent type room not found.");
    target.request("2", "own/k", { source: { type: "own", key: "k" } });
    expect((await target.nextRequest()).target).toEqual({ type: "own", key: "k" });
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

describe.each(hostTransports)("the log of a host that a worker leaves, over $name", ({ start }) => {
  it("names the types that it gave up; a repeated notice, or one of a worker without types, adds nothing", async () => {
    const logger = new RecordingLogger();
    const givenUp: HostOccurrence[] = [];
    const observer = (what: HostOccurrence) => {
      if (what.at === "registration" && what.what === "given-up") givenUp.push(what);
    };
    await using rig = await start({ logger, observer });
    const idle = await new RawWorker(rig.dial(), "I", { isAnnounced: true }).join();
    idle.send({ kind: "leaving", graceMs: 1_000 });
    const worker = await new RawWorker(rig.dial(), "W", { isAnnounced: true }).join();
    await worker.register("a");
    await worker.register("b");
    worker.send({ kind: "leaving", graceMs: 1_000 });
    worker.send({ kind: "leaving", graceMs: 1_000 });
    await Promise.all([idle.settled(), worker.settled()]);
    const types = ["a", "b"];
    expect(givenUp).toEqual([{ at: "registration", what: "given-up", clientId: "W", types, typeCount: 2 }]);
    const lines = logger.lines.filter(({ text }) => text === "a worker leaves and gave up its agent types");
    expect(lines).toMatchObject([{ level: "info", fields: { clientId: "W", types } }]);
  });
});
