import { describe, expect, it } from "vitest";
import { linked, linkedTransports } from "../../../support/linked-hosts.ts";
import { RawWorker, textOf } from "../../../support/raw-worker.ts";

describe.each(linkedTransports)("calls between hosts over $name", ({ start }) => {
  it("reach a worker of another host, and the answer comes back under the caller's own id", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.two.dial(), "T").join();
    await target.register("echo");
    const caller = await new RawWorker(rig.one.dial(), "C").join();
    caller.request("7", "echo/k");
    const request = await target.nextRequest();
    expect(request).toMatchObject({ target: { type: "echo", key: "k" } });
    expect(request.requestId).not.toBe("7");
    target.respond(request.requestId, "hello");
    const answer = await caller.nextResponse();
    expect([answer.requestId, textOf(answer)]).toEqual(["7", "hello"]);
    expect(rig.one.host.counters()).toMatchObject({ pendingCalls: 0, answers: 1 });
    expect(rig.two.host.counters()).toMatchObject({ pendingCalls: 0, answers: 1 });
  });

  it("keep the order in which one worker makes them", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.two.dial(), "T").join();
    await target.register("echo");
    const caller = await new RawWorker(rig.one.dial(), "C").join();
    for (let number = 1; number <= 50; number += 1) caller.request(String(number), `echo/${number}`);
    const keys: string[] = [];
    for (let number = 1; number <= 50; number += 1) keys.push((await target.nextRequest()).target?.key ?? "");
    expect(keys).toEqual(Array.from({ length: 50 }, (_, index) => String(index + 1)));
  });

  it("go back and forth through an agent that calls its caller", async () => {
    await using rig = await start();
    const a = await new RawWorker(rig.one.dial(), "A").join();
    const b = await new RawWorker(rig.two.dial(), "B").join();
    await a.register("a");
    await b.register("b");
    a.request("1", "b/k");
    const outer = await b.nextRequest();
    b.request("1", "a/k");
    const inner = await a.nextRequest();
    a.respond(inner.requestId, "inner");
    expect(textOf(await b.nextResponse())).toBe("inner");
    b.respond(outer.requestId, "outer");
    expect(textOf(await a.nextResponse())).toBe("outer");
  });

  it("fail as before when no host serves the type", async () => {
    await using rig = await start();
    const caller = await new RawWorker(rig.one.dial(), "C").join();
    caller.request("7", "nobody/k");
    expect(await caller.nextResponse()).toMatchObject({ error: "Agent type nobody not found." });
    caller.request("8", "a b/k");
    expect(await caller.nextResponse()).toMatchObject({ error: expect.stringContaining("Invalid agent type: a b.") });
  });

  it("fail as disconnected when their worker is lost, and as unknown after that", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.two.dial(), "T").join();
    await target.register("echo");
    const caller = await new RawWorker(rig.one.dial(), "C").join();
    caller.request("1", "echo/k");
    await target.nextRequest();
    target.stream.cancel();
    expect(await caller.nextResponse()).toMatchObject({
      error: "Client for agent type echo disconnected.",
      metadata: { agerrorcode: "disconnected" },
    });
    caller.request("2", "echo/k");
    expect(await caller.nextResponse()).toMatchObject({ error: "Agent type echo not found." });
  });

  it("are cancelled at the worker of another host when the caller gives them up", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.two.dial(), "T", { isAnnounced: true }).join();
    await target.register("echo");
    const caller = await new RawWorker(rig.one.dial(), "C", { isAnnounced: true }).join();
    caller.request("1", "echo/k");
    const { requestId } = await target.nextRequest();
    caller.send({ kind: "cancel", requestId: "1", reason: "cancelled" });
    expect(await target.nextCancel()).toMatchObject({ requestId, reason: "cancelled" });
    expect(rig.one.host.counters().pendingCalls).toBe(0);
    expect(rig.two.host.counters().pendingCalls).toBe(0);
  });

  it("are cancelled at the worker of another host when the caller is lost", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.two.dial(), "T", { isAnnounced: true }).join();
    await target.register("echo");
    const caller = await new RawWorker(rig.one.dial(), "C").join();
    caller.request("1", "echo/k");
    const { requestId } = await target.nextRequest();
    caller.stream.cancel();
    expect(await target.nextCancel()).toMatchObject({ requestId, reason: "caller-gone" });
  });

  it("fail with the host's refusal when a host stops, and workers of the other host go on", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.two.dial(), "T").join();
    await target.register("echo");
    const own = await new RawWorker(rig.one.dial(), "O").join();
    await own.register("own");
    const caller = await new RawWorker(rig.one.dial(), "C").join();
    caller.request("1", "echo/k");
    await target.nextRequest();
    await rig.two.host.stop({ graceMs: 1_000 });
    expect(await caller.nextResponse()).toMatchObject({ requestId: "1", metadata: { agerrorcode: "shutting-down" } });
    caller.request("2", "own/k");
    const request = await own.nextRequest();
    own.respond(request.requestId, "here");
    expect(textOf(await caller.nextResponse())).toBe("here");
  });
});

const [overMemory] = linkedTransports;
if (overMemory === undefined) throw new Error("There are memory links.");

describe("calls to a worker of another host", () => {
  it("fail as disconnected when the link is cut, and work again on the next link", async () => {
    await using rig = await overMemory.start();
    const target = await new RawWorker(rig.two.dial(), "T", { isAnnounced: true }).join();
    await target.register("echo");
    const caller = await new RawWorker(rig.one.dial(), "C").join();
    caller.request("1", "echo/k");
    const lost = await target.nextRequest();
    rig.cutLinks();
    expect(await caller.nextResponse()).toMatchObject({ requestId: "1", metadata: { agerrorcode: "disconnected" } });
    expect(await target.nextCancel()).toMatchObject({ requestId: lost.requestId, reason: "caller-gone" });
    await linked(rig.hosts);
    caller.request("2", "echo/k");
    const request = await target.nextRequest();
    target.respond(request.requestId, "again");
    expect(textOf(await caller.nextResponse())).toBe("again");
    expect(rig.one.host.counters().pendingCalls).toBe(0);
    expect(rig.two.host.counters().pendingCalls).toBe(0);
  });

  it("come back from a worker that serves the type no more, and go to the one that does", async () => {
    await using rig = await overMemory.start();
    const [former, target] = [new RawWorker(rig.two.dial(), "F"), new RawWorker(rig.two.dial(), "T")];
    await former.join();
    await (await target.join()).register("echo");
    const caller = await new RawWorker(rig.one.dial(), "C").join();
    rig.cluster.spreadRumour("echo", "F", { survivesLookUp: false });
    caller.request("1", "echo/k");
    caller.request("2", "echo/k");
    for (const text of ["one", "two"]) target.respond((await target.nextRequest()).requestId, text);
    const answers = [await caller.nextResponse(), await caller.nextResponse()];
    expect(answers.map((answer) => [answer.requestId, textOf(answer)])).toEqual([
      ["1", "one"],
      ["2", "two"],
    ]);
    expect(rig.one.joined.counters().bouncedCalls).toBeGreaterThan(0);
    expect(await former.settled()).toEqual([]);
    expect([rig.one, rig.two].map(({ host }) => host.counters().pendingCalls)).toEqual([0, 0]);
  });

  it("fail as undeliverable when they come back again and again", async () => {
    await using rig = await overMemory.start();
    await new RawWorker(rig.two.dial(), "F").join();
    await (await new RawWorker(rig.two.dial(), "T").join()).register("echo");
    const caller = await new RawWorker(rig.one.dial(), "C").join();
    rig.cluster.spreadRumour("echo", "F", { survivesLookUp: true });
    caller.request("1", "echo/k");
    expect(await caller.nextResponse()).toMatchObject({ requestId: "1", metadata: { agerrorcode: "undeliverable" } });
    expect(rig.one.joined.counters().bouncedCalls).toBe(6);
    expect([rig.one, rig.two].map(({ host }) => host.counters().pendingCalls)).toEqual([0, 0]);
  });
});
