import { describe, expect, it } from "vitest";
import { hostTransports } from "../../support/host-transports.ts";
import { RawWorker } from "../../support/raw-worker.ts";

const metadata = { agpath: "h-1@a/k", mine: "kept" };
const troupe = { isAnnounced: true, metadata: { agcaps: "turns" } } as const;

describe.each(hostTransports)("the path of a call through the host over $name", ({ start }) => {
  it("reaches a worker of Troupe's", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.dial(), "T", troupe).join();
    await target.register("echo");
    const caller = await new RawWorker(rig.dial(), "C", troupe).join();
    caller.request("1", "echo/k", { metadata });
    expect((await target.nextRequest()).metadata).toEqual(metadata);
  });

  it.each([
    ["a stock worker", {}],
    ["a stock worker that names capabilities", { metadata: { agcaps: "turns" } }],
    ["an announced worker that does not name turns", { isAnnounced: true, metadata: { agcaps: "heartbeat" } }],
  ])("does not reach %s, also if the call has waited for its channel", async (_who, options) => {
    await using rig = await start({ channelWaitMs: 10_000 });
    const target = new RawWorker(rig.dial(), "T", options);
    await target.register("echo");
    const caller = await new RawWorker(rig.dial(), "C", troupe).join();
    caller.request("1", "echo/k", { metadata });
    await caller.settled();
    target.open();
    expect((await target.nextRequest()).metadata).toEqual({ mine: "kept" });
    caller.request("2", "echo/k", { metadata });
    expect((await target.nextRequest()).metadata).toEqual({ mine: "kept" });
  });
});

describe.each(hostTransports)("the path of a call whose caller was given up, over $name", ({ start }) => {
  it("begins with the turn of the handler that makes the call, although its worker has not heard of it", async () => {
    await using rig = await start();
    const a = await new RawWorker(rig.dial(), "A", troupe).join();
    await a.register("a");
    const b = await new RawWorker(rig.dial(), "B", troupe).join();
    await b.register("b");
    a.request("1", "b/k", { metadata: { agpath: "ta@a/k" } });
    const { requestId } = await b.nextRequest();
    const sent = { metadata: { agpath: `ta@a/k,${requestId}@b/k`, mine: "kept" } };
    b.request("2", "a/k", sent);
    expect((await a.nextRequest()).metadata).toEqual(sent.metadata);
    a.send({ kind: "cancel", requestId: "1", reason: "cancelled" });
    await b.nextCancel();
    b.request("3", "a/k", sent);
    expect((await a.nextRequest()).metadata).toEqual({ agpath: `${requestId}@b/k`, mine: "kept" });
  });

  it("begins behind a turn that has given up a call whose handler interleaves", async () => {
    await using rig = await start();
    const a = await new RawWorker(rig.dial(), "A", troupe).join();
    await a.register("a");
    const b = await new RawWorker(rig.dial(), "B", troupe).join();
    await b.register("b");
    a.request("1", "b/k", { metadata: { agpath: "ta@a/k" } });
    const { requestId } = await b.nextRequest();
    b.request("2", "a/k", { metadata: { agpath: `ta@a/k@${requestId}`, mine: "kept" } });
    expect((await a.nextRequest()).metadata).toEqual({ agpath: `ta@a/k@${requestId}`, mine: "kept" });
    a.send({ kind: "cancel", requestId: "1", reason: "cancelled" });
    await b.nextCancel();
    b.request("3", "a/k", { metadata: { agpath: `ta@a/k@${requestId}`, mine: "kept" } });
    expect((await a.nextRequest()).metadata).toEqual({ mine: "kept" });
    b.request("4", "a/k", { metadata: { agpath: `ta@a/k@${requestId},tb@b/k` } });
    expect((await a.nextRequest()).metadata).toEqual({ agpath: "tb@b/k" });
  });

  it("stays whole if it is that of several chains, since no place tells to which of them a turn belongs", async () => {
    await using rig = await start();
    const a = await new RawWorker(rig.dial(), "A", troupe).join();
    await a.register("a");
    const b = await new RawWorker(rig.dial(), "B", troupe).join();
    await b.register("b");
    a.request("1", "b/k", { metadata: { agpath: "ta@a/k" } });
    const { requestId } = await b.nextRequest();
    a.send({ kind: "cancel", requestId: "1", reason: "cancelled" });
    await b.nextCancel();
    const metadata = { agpath: `ta@a/k,${requestId}@b/k,ta@a/k` };
    b.request("2", "a/k", { metadata });
    expect((await a.nextRequest()).metadata).toEqual(metadata);
  });
});

describe.each(hostTransports)("a chain of calls through stock agents over $name", ({ start }) => {
  /** A Troupe worker with `a`, and two stock workers with `p` and `q`. */
  async function open(channelWaitMs?: number) {
    const rig = await start(channelWaitMs === undefined ? {} : { channelWaitMs });
    const a = await new RawWorker(rig.dial(), "A", troupe).join();
    await a.register("a");
    const p = await new RawWorker(rig.dial(), "P").join();
    await p.register("p");
    const q = await new RawWorker(rig.dial(), "Q").join();
    await q.register("q");
    return { a, p, q, rig, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() };
  }
  const source = (type: string, key = "k") => ({ source: { type, key } });

  it("keeps the path of the call that the stock agent works on", async () => {
    await using world = await open();
    const { a, p } = world;
    a.request("1", "p/k", { metadata });
    expect((await p.nextRequest()).metadata).toEqual({ mine: "kept" });
    p.request("2", "a/k", { ...source("p"), metadata: { theirs: "kept" } });
    expect((await a.nextRequest()).metadata).toEqual({ theirs: "kept", agpath: "h-1@a/k" });
  });

  it("keeps the path through two stock agents in a row, whose workers do not see it", async () => {
    await using world = await open();
    const { a, p, q } = world;
    a.request("1", "p/k", { metadata });
    await p.nextRequest();
    p.request("2", "q/k", source("p"));
    expect((await q.nextRequest()).metadata).toEqual({});
    q.request("3", "a/k", source("q"));
    expect((await a.nextRequest()).metadata).toEqual({ agpath: "h-1@a/k" });
  });

  it.each([
    ["of another agent of the worker", source("p", "other")],
    ["without a source", {}],
    ["that has a path of its own", { ...source("p"), metadata: { agpath: "x-1@b/k" } }],
  ])("says nothing about a call %s", async (_what, extra) => {
    await using world = await open();
    const { a, p } = world;
    a.request("1", "p/k", { metadata });
    await p.nextRequest();
    p.request("2", "a/k", extra);
    expect((await a.nextRequest()).metadata).toEqual({ ...("metadata" in extra && extra.metadata) });
  });

  it("says nothing if the stock agent works on two calls with a path, until one has its answer", async () => {
    await using world = await open();
    const { a, p } = world;
    a.request("1", "p/k", { metadata });
    a.request("2", "p/k", { metadata: { agpath: "h-2@b/k" } });
    const first = await p.nextRequest();
    await p.nextRequest();
    p.request("3", "a/k", source("p"));
    expect((await a.nextRequest()).metadata).toEqual({});
    p.respond(first.requestId, "done");
    await a.nextResponse();
    p.request("4", "a/k", source("p"));
    expect((await a.nextRequest()).metadata).toEqual({ agpath: "h-2@b/k" });
  });

  it("keeps the longest path if the chain comes to the same stock agent several times", async () => {
    await using world = await open();
    const { a, p } = world;
    a.request("1", "p/k", { metadata });
    a.request("2", "p/k", { metadata: { agpath: "h-1@a/k,h-2@a/k" } });
    await p.nextRequest();
    await p.nextRequest();
    p.request("3", "a/k", source("p"));
    expect((await a.nextRequest()).metadata).toEqual({ agpath: "h-1@a/k,h-2@a/k" });
  });

  it.each([
    ["comes back by way of an agent that interleaves", "h-1@a/k", "h-1@a/k@i-1"],
    ["comes twice, each time by way of another agent that interleaves", "h-1@a/k@i-1", "h-1@a/k@i-2"],
  ])("keeps the turns of a chain that %s", async (_what, one, other) => {
    await using world = await open();
    const { a, p } = world;
    a.request("1", "p/k", { metadata: { agpath: one } });
    a.request("2", "p/k", { metadata: { agpath: other } });
    await p.nextRequest();
    await p.nextRequest();
    p.request("3", "a/k", source("p"));
    expect((await a.nextRequest()).metadata).toEqual({ agpath: "h-1@a/k" });
  });

  it("keeps the longest of its paths if an agent that interleaves is between", async () => {
    await using world = await open();
    const { a, p } = world;
    a.request("1", "p/k", { metadata });
    a.request("2", "p/k", { metadata: { agpath: "h-1@a/k@i-1,h-2@a/k" } });
    await p.nextRequest();
    await p.nextRequest();
    p.request("3", "a/k", source("p"));
    expect((await a.nextRequest()).metadata).toEqual({ agpath: "h-1@a/k,h-2@a/k" });
  });

  it("keeps the calls between the turns if all calls to the stock agent have the same", async () => {
    await using world = await open();
    const { a, p } = world;
    for (const id of ["1", "2"]) a.request(id, "p/k", { metadata: { agpath: "h-1@a/k@i-1" } });
    await p.nextRequest();
    await p.nextRequest();
    p.request("3", "a/k", source("p"));
    expect((await a.nextRequest()).metadata).toEqual({ agpath: "h-1@a/k@i-1" });
  });

  it("keeps no more of a path whose call has its outcome", async () => {
    await using world = await open();
    const { a, p } = world;
    a.request("1", "p/k", { metadata });
    const request = await p.nextRequest();
    p.respond(request.requestId, "done");
    await a.nextResponse();
    p.request("2", "a/k", source("p"));
    expect((await a.nextRequest()).metadata).toEqual({});
  });
});
