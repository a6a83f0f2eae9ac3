import { describe, expect, it } from "vitest";
import { hostTransports } from "../../support/host-transports.ts";
import { exact, RawWorker, textPayload } from "../../support/raw-worker.ts";

const troupe = { isAnnounced: true, metadata: { agcaps: "turns" } } as const;
const metadata = { agdepth: "7", mine: "kept" };

describe.each(hostTransports)("the depth of a message through the host over $name", ({ start }) => {
  it("reaches a worker of Troupe's, in calls and in the event's own bytes", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.dial(), "T", troupe).join();
    await target.register("echo");
    await target.subscribe("1", exact("t", "echo"));
    const sender = await new RawWorker(rig.dial(), "S", troupe).join();
    sender.request("1", "echo/k", { metadata });
    expect((await target.nextRequest()).metadata).toEqual(metadata);
    const own = { id: "E", topicType: "t", topicSource: "k", sender: undefined, payload: textPayload("E") };
    sender.send({ kind: "event", event: { ...own, attributes: metadata } });
    expect((await target.nextEvent()).attributes).toEqual(metadata);
  });

  it.each([
    ["a stock worker", {}],
    ["an announced worker that does not name turns", { isAnnounced: true, metadata: { agcaps: "heartbeat" } }],
  ])("does not reach %s, in calls or in events", async (_who, options) => {
    await using rig = await start();
    const target = await new RawWorker(rig.dial(), "T", options).join();
    await target.register("echo");
    await target.subscribe("1", exact("t", "echo"));
    const own = await new RawWorker(rig.dial(), "O", troupe).join();
    await own.register("own");
    await own.subscribe("2", exact("t", "own"));
    const sender = await new RawWorker(rig.dial(), "S", troupe).join();
    sender.request("1", "echo/k", { metadata });
    expect((await target.nextRequest()).metadata).toEqual({ mine: "kept" });
    sender.request("3", "echo/k", { metadata: { ...metadata, agdepth: "0.7" } });
    expect((await target.nextRequest()).metadata).toEqual({ mine: "kept" });
    sender.request("2", "echo/k", { metadata: { ...metadata, agpath: "h-1@a/k" } });
    expect((await target.nextRequest()).metadata).toEqual({ mine: "kept" });
    const event = { id: "E", topicType: "t", topicSource: "k", sender: undefined, payload: textPayload("agdepth") };
    sender.send({ kind: "event", event: { ...event, attributes: metadata } });
    expect((await target.nextEvent()).attributes).toEqual({ mine: "kept" });
    expect((await own.nextEvent()).attributes).toEqual(metadata);
  });
});

describe.each(hostTransports)("marks of told messages through the host over $name", ({ start }) => {
  it("mean nothing in a call of a worker that does not name mail: the call is routed", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.dial(), "T", troupe).join();
    await target.register("echo");
    const caller = await new RawWorker(rig.dial(), "C", troupe).join();
    caller.request("1", "echo/k", { metadata: { agdelivery: "durable", agidempotency: "m" } });
    const { requestId } = await target.nextRequest();
    target.respond(requestId, "handled");
    expect(await caller.nextResponse()).toMatchObject({
      requestId: "1",
      payload: { typeName: textPayload("").typeName },
    });
    expect(rig.host.counters()).toMatchObject({ answers: 1, mailDelivered: 0 });
  });

  it("that make an error final do not reach a stock caller", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.dial(), "T", troupe).join();
    await target.register("echo");
    const callers = [new RawWorker(rig.dial(), "C"), new RawWorker(rig.dial(), "A", troupe)];
    const seen: unknown[] = [];
    for (const caller of callers) {
      await caller.join();
      caller.request("1", "echo/k");
      const { requestId } = await target.nextRequest();
      const answer = { kind: "response", requestId, payload: undefined, error: "no" } as const;
      target.send({ ...answer, metadata: { agfinal: "1", theirs: "kept" } });
      seen.push((await caller.nextResponse()).metadata);
    }
    expect(seen).toEqual([{ theirs: "kept" }, { agfinal: "1", theirs: "kept" }]);
  });
});
