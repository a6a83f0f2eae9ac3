import { describe, expect, it } from "vitest";
import { Host } from "../../../../src/host/index.ts";
import {
  type Capability,
  decodeFrame,
  encodeFrame,
  encodePeerAnswer,
  encodePeerCall,
  encodePeerFrame,
  encodePeerNotice,
  joinFrame,
  peekFrame,
  requestIdText,
} from "../../../../src/protocol/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { createMemoryNetwork } from "../../../../src/transport/index.ts";
import {
  type LinkedHostsOptions,
  type LinkedTransport,
  linked,
  linkedTransports,
} from "../../../support/linked-hosts.ts";
import { helloOfHost, nextOfKind, openRawHost, openWaitingHost } from "../../../support/raw-link.ts";
import { beginStream, type Chunk, chunk, streaming } from "../../../support/raw-streams.ts";
import { RawWorker, textOf, textPayload } from "../../../support/raw-worker.ts";

async function openScene(start: LinkedTransport["start"], options?: LinkedHostsOptions) {
  const rig = await start(options);
  const target = await new RawWorker(rig.two.dial(), "T", streaming).join();
  await target.register("poet");
  const caller = await new RawWorker(rig.one.dial(), "C", streaming).join();
  return { rig, caller, target, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() };
}

function pendingCalls(rig: Awaited<ReturnType<LinkedTransport["start"]>>): readonly number[] {
  return rig.hosts.map(({ host }) => host.counters().pendingCalls);
}

describe.each(linkedTransports)("answers in parts between hosts over $name", ({ start }) => {
  it("go to their caller under its own id, with their own bytes, and the answer behind them", async () => {
    await using scene = await openScene(start);
    const { rig, caller, target } = scene;
    const requestId = await beginStream(caller, target);
    for (const offset of [0, 1]) target.send(chunk(requestId, offset));
    target.respond(requestId, "the answer");
    for (const offset of [0, 1]) {
      const { bytes } = await caller.nextArrived();
      expect(Buffer.from(bytes).equals(encodeFrame(chunk("7", offset)))).toBe(true);
    }
    expect(textOf(await caller.nextResponse())).toBe("the answer");
    expect(pendingCalls(rig)).toEqual([0, 0]);
  });

  it("take a grant of the caller to the target, under the id that the target knows", async () => {
    await using scene = await openScene(start);
    const { caller, target } = scene;
    const requestId = await beginStream(caller, target);
    caller.send({ kind: "credit", requestId: "7", bytes: 2_048 });
    expect(await target.next()).toEqual({ kind: "credit", requestId, bytes: 2_048 });
  });

  it("end as invalid-message when the target sends what the reader has not granted", async () => {
    await using scene = await openScene(start);
    const { caller, target } = scene;
    const requestId = await beginStream(caller, target);
    target.send(chunk(requestId, 0, 1_000));
    target.send(chunk(requestId, 1));
    expect(await caller.next()).toMatchObject({ kind: "chunk", offset: 0 });
    expect((await caller.nextResponse()).metadata).toMatchObject({ agerrorcode: "invalid-message" });
    expect(await target.nextCancel()).toMatchObject({ requestId, reason: "cancelled" });
  });

  it("end with the caller's cancel, and with its channel", async () => {
    await using scene = await openScene(start);
    const { rig, caller, target } = scene;
    const first = await beginStream(caller, target);
    caller.send({ kind: "cancel", requestId: "7", reason: "cancelled" });
    expect(await target.nextCancel()).toMatchObject({ requestId: first, reason: "cancelled" });
    const second = await beginStream(caller, target);
    caller.stream.end();
    expect(await target.nextCancel()).toMatchObject({ requestId: second, reason: "caller-gone" });
    expect(pendingCalls(rig)).toEqual([0, 0]);
  });

  it("end as disconnected, behind the chunks so far, when their target is lost", async () => {
    await using scene = await openScene(start);
    const { rig, caller, target } = scene;
    const requestId = await beginStream(caller, target);
    target.send(chunk(requestId, 0));
    expect(await caller.next()).toMatchObject({ kind: "chunk", offset: 0 });
    target.stream.cancel();
    expect((await caller.nextResponse()).metadata).toMatchObject({ agerrorcode: "disconnected" });
    expect(pendingCalls(rig)).toEqual([0, 0]);
  });

  it("end as overloaded for a caller that reads nothing, and others on the link get theirs", async () => {
    const maxQueuedBytes = 1024 * 1024;
    await using scene = await openScene(start, { host: { maxQueuedBytes, maxQueuedFrames: 1_000 } });
    const { rig, caller, target } = scene;
    const slow = await new RawWorker(rig.one.dial(), "slow", streaming).join();
    slow.stream.pause();
    slow.request("7", "poet/k", { metadata: { agstream: "999999999" } });
    const stalled = await target.nextRequest();
    let cancelled = false;
    for (let offset = 0; !cancelled; offset += 1) {
      target.send(chunk(stalled.requestId, offset, 256 * 1024));
      // The answer to another call comes behind the chunk.
      caller.request(`p${offset}`, "poet/p");
      let frame = await target.next();
      for (; frame.kind !== "request"; frame = await target.next()) cancelled ||= frame.kind === "cancel";
      target.respond(frame.requestId, "well");
      expect(textOf(await caller.nextResponse())).toBe("well");
    }
    expect(rig.one.host.counters().queuedBytes).toBeLessThanOrEqual(2 * maxQueuedBytes);
    const requestId = await beginStream(caller, target);
    target.send(chunk(requestId, 0));
    target.respond(requestId, "the answer");
    expect(await caller.next()).toMatchObject({ kind: "chunk" });
    expect(textOf(await caller.nextResponse())).toBe("the answer");
  });
});

const [overMemory] = linkedTransports;
if (overMemory === undefined) throw new Error("There are memory links.");
const { start } = overMemory;

describe("answers in parts between hosts", () => {
  it("end as disconnected when the link is cut, and come again on the next link", async () => {
    await using scene = await openScene(start);
    const { rig, caller, target } = scene;
    const lost = await beginStream(caller, target);
    target.send(chunk(lost, 0));
    expect(await caller.next()).toMatchObject({ kind: "chunk", offset: 0 });
    rig.cutLinks();
    expect((await caller.nextResponse()).metadata).toMatchObject({ agerrorcode: "disconnected" });
    expect(await target.nextCancel()).toMatchObject({ requestId: lost, reason: "caller-gone" });
    await linked(rig.hosts);
    const requestId = await beginStream(caller, target);
    // What is late goes to no other call.
    target.send(chunk(lost, 1));
    target.send(chunk(requestId, 0));
    target.respond(requestId, "again");
    expect(await caller.next()).toMatchObject({ kind: "chunk", requestId: "7", offset: 0 });
    expect(textOf(await caller.nextResponse())).toBe("again");
    expect(pendingCalls(rig)).toEqual([0, 0]);
  });

  it("come from the next place of a call that has come back, whatever was granted before", async () => {
    await using scene = await openScene(start);
    const { rig, caller, target } = scene;
    const former = await new RawWorker(rig.two.dial(), "F", streaming).join();
    rig.cluster.spreadRumour("poet", "F", { survivesLookUp: false });
    caller.request("7", "poet/k", { metadata: { agstream: "1024" } });
    caller.send({ kind: "credit", requestId: "7", bytes: 4_096 });
    const { requestId, metadata } = await target.nextRequest();
    expect(metadata).toEqual({ agstream: "1024" });
    expect(await former.settled()).toEqual([]);
    expect(rig.one.joined.counters().bouncedCalls).toBe(1);
    // The target has heard of its first grant alone. Its chunk brings the rest.
    expect(await target.settled()).toEqual([]);
    target.send(chunk(requestId, 0, 1_000));
    expect(await target.next()).toEqual({ kind: "credit", requestId, bytes: 4_096 });
    expect(await caller.next()).toMatchObject({ kind: "chunk", requestId: "7", offset: 0 });
  });

  it("have the time limits of their hosts from the last chunk or grant on", async () => {
    const clock = new ManualClock();
    const quiet = { keepAliveMs: 10_000_000, keepAliveTimeoutMs: 10_000_000 };
    await using scene = await openScene(start, { host: { clock, callTimeoutMs: 1_000, heartbeatMs: 0 }, join: quiet });
    const { caller, target } = scene;
    const requestId = await beginStream(caller, target, "100000");
    for (const offset of [0, 1, 2]) {
      await clock.advance(900);
      target.send(chunk(requestId, offset));
      expect(await caller.next()).toMatchObject({ kind: "chunk", offset });
    }
    await clock.advance(999);
    expect(await caller.settled()).toEqual([]);
    await clock.advance(1);
    expect((await caller.nextResponse()).metadata).toMatchObject({ agerrorcode: "timed-out" });
    expect(await target.nextCancel()).toMatchObject({ requestId, reason: "timed-out" });
  });
});

/** A host with a link to a raw one, whose worker `T` serves the type `poet`. */
async function openRawPeer(features: readonly Capability[]) {
  const network = createMemoryNetwork({ maxReceiveMessageBytes: maxMessageBytes });
  const waiting = await openWaitingHost({ network });
  const { cluster } = waiting;
  const host = new Host({ listener: network, address: "127.0.0.1:0", servicer: waiting.servicer });
  await host.start();
  const here = { kind: "here", session: 1, isAnnounced: true, isDraining: false } as const;
  const capabilities = new Set<Capability>(["turns", "streams"]);
  const said = ["T", "U"].map((id, at) => {
    const worker = { id, name: id, version: undefined, labels: {} };
    return encodePeerFrame({ ...here, slot: at + 1, clientId: id, worker, capabilities });
  });
  const raw = await openRawHost(network, said, helloOfHost("h2", features));
  const h2 = cluster.viewOf("h2");
  await h2.claimType({ agentType: "poet", clientId: "T", isShared: false });
  cluster.up({ hostId: "h2", address: raw.address });
  const caller = await new RawWorker(network.dial(host.address), "C", streaming).join();
  const nextCall = async () => {
    const call = await nextOfKind(raw, "call");
    const request = call.kind === "call" ? peekFrame(call.frame) : undefined;
    if (request?.kind !== "request") throw new Error("The host sends calls.");
    return { requestId: requestIdText(request), streamBytes: request.streamBytes };
  };
  const say = (frame: Uint8Array): void => {
    for (const stream of raw.streams) stream.send(frame);
  };
  const sayChunk = (one: Chunk): void => say(joinFrame(encodePeerNotice(encodeFrame(one))));
  const answer = (requestId: string, text: string): void => {
    const response = { kind: "response", requestId, payload: textPayload(text), error: "", metadata: {} } as const;
    say(joinFrame(encodePeerAnswer(encodeFrame(response))));
  };
  return {
    waiting,
    host,
    raw,
    caller,
    nextCall,
    say,
    sayChunk,
    answer,
    [Symbol.asyncDispose]: () => host.stop({ graceMs: 0 }),
  };
}

describe("a host in a cluster with hosts of other versions", () => {
  it("asks a host that does not name streams for no chunks", async () => {
    await using scene = await openRawPeer(["turns"]);
    const { host, caller, nextCall, sayChunk, answer } = scene;
    caller.request("7", "poet/k", { metadata: { agstream: "1024" } });
    const { requestId, streamBytes } = await nextCall();
    expect(streamBytes).toBeUndefined();
    sayChunk(chunk(requestId, 0));
    answer(requestId, "whole");
    expect(textOf(await caller.nextResponse())).toBe("whole");
    expect(host.counters()).toMatchObject({ strayChunks: 1, pendingCalls: 0 });
  });

  it("sends no chunks to a host that does not name streams, also when a call asks for them", async () => {
    await using waiting = await openWaitingHost();
    const { network } = waiting;
    await using host = new Host({ listener: network, address: "127.0.0.1:0", servicer: waiting.servicer });
    await host.start();
    const target = await new RawWorker(network.dial(host.address), "T", streaming).join();
    await target.register("poet");
    const link = waiting.dial([encodePeerFrame(helloOfHost("h2", ["turns"]))]);
    const here = await nextOfKind(link, "here");
    const metadata = { agstream: "1024" };
    const call = { kind: "request", requestId: "9", source: undefined, payload: undefined, metadata } as const;
    const request = encodeFrame({ ...call, target: { type: "poet", key: "k" } });
    link.stream.send(joinFrame(encodePeerCall(here.kind === "here" ? here.slot : 0, request)));
    const asked = await target.nextRequest();
    expect(asked.metadata).toEqual({});
    target.send(chunk(asked.requestId, 0));
    target.respond(asked.requestId, "whole");
    await nextOfKind(link, "answer");
    expect(host.counters()).toMatchObject({ strayChunks: 1, pendingCalls: 0 });
  });
});

describe("a link whose host takes nothing for a while", () => {
  it("refuses the chunks beyond its bound, ends their stream as overloaded, and lives on", async () => {
    const network = createMemoryNetwork({ windowBytes: 1 });
    const bounds = { maxQueuedBytes: 100_000 };
    await using waiting = await openWaitingHost({ network, bounds });
    await using host = new Host({ listener: network, address: "127.0.0.1:0", servicer: waiting.servicer });
    await host.start();
    const target = await new RawWorker(network.dial(host.address), "T", streaming).join();
    await target.register("poet");
    const link = waiting.dial([encodePeerFrame(helloOfHost("h2", ["turns", "streams"]))]);
    const here = await nextOfKind(link, "here");
    const call = { kind: "request", requestId: "9", source: undefined, payload: undefined } as const;
    const metadata = { agstream: "1000000" };
    const request = encodeFrame({ ...call, metadata, target: { type: "poet", key: "k" } });
    link.stream.send(joinFrame(encodePeerCall(here.kind === "here" ? here.slot : 0, request)));
    const { requestId } = await target.nextRequest();
    link.stream.pause();
    let sent = 0;
    for (let cancelled = false; !cancelled; sent += 1) {
      target.send(chunk(requestId, sent, 10_000));
      cancelled = (await target.settled()).some(({ kind }) => kind === "cancel");
    }
    // Those of one address have two thirds.
    expect(sent).toBeLessThan(10);
    expect(waiting.joined.linkedHosts().from).toEqual(["h2"]);
    link.stream.resume();
    const answer = await nextOfKind(link, "answer");
    const failed = answer.kind === "answer" ? decodeFrame(answer.frame) : undefined;
    expect(failed).toMatchObject({ requestId: "9", metadata: { agerrorcode: "overloaded" } });
    expect(host.counters().pendingCalls).toBe(0);
  });
});

describe("chunks of another host", () => {
  it("reach no call of this host or of a third one", async () => {
    await using scene = await openRawPeer(["turns", "streams"]);
    const { host, caller, nextCall, sayChunk, answer } = scene;
    const own = await new RawWorker(scene.waiting.network.dial(host.address), "O", streaming).join();
    await own.register("own");
    caller.request("1", "own/k", { metadata: { agstream: "1024" } });
    const here = await own.nextRequest();
    caller.request("2", "poet/k", { metadata: { agstream: "1024" } });
    const there = await nextCall();
    expect(there.streamBytes).toBe(1_024);
    sayChunk(chunk(here.requestId, 0));
    sayChunk(chunk(there.requestId, 0));
    answer(there.requestId, "the answer");
    expect(await caller.next()).toMatchObject({ kind: "chunk", requestId: "2", offset: 0 });
    expect(textOf(await caller.nextResponse())).toBe("the answer");
    expect(await caller.settled()).toEqual([]);
    expect(host.counters()).toMatchObject({ strayChunks: 1, pendingCalls: 1 });
  });

  it("that are too large to be read end their stream alone, and not the link", async () => {
    await using scene = await openRawPeer(["turns", "streams"]);
    const { waiting, caller, nextCall, sayChunk, answer } = scene;
    caller.request("1", "poet/k", { metadata: { agstream: "1024" } });
    const first = await nextCall();
    caller.request("2", "poet/l", { metadata: { agstream: "1024" } });
    const second = await nextCall();
    sayChunk(chunk(first.requestId, 0, tooLarge));
    const failed = await caller.nextResponse();
    expect(failed).toMatchObject({ requestId: "1", metadata: { agerrorcode: "invalid-message" } });
    expect(failed.error).toMatch(/^A chunk of agent type poet can't be read/);
    expect(peekFrame(await nextNotice(scene.raw))).toMatchObject({ kind: "cancel", requestId: first.requestId });
    sayChunk(chunk(second.requestId, 0));
    answer(second.requestId, "the answer");
    expect(await caller.next()).toMatchObject({ kind: "chunk", requestId: "2", offset: 0 });
    expect(textOf(await caller.nextResponse())).toBe("the answer");
    expect(waiting.joined.counters()).toMatchObject({ openedLinks: 1, endedLinks: 0 });
  });
});

const maxMessageBytes = 64 * 1024;
const tooLarge = maxMessageBytes + 1;

async function nextNotice(raw: Parameters<typeof nextOfKind>[0]): Promise<Uint8Array> {
  const frame = await nextOfKind(raw, "notice");
  return frame.kind === "notice" ? frame.notice : new Uint8Array(0);
}
