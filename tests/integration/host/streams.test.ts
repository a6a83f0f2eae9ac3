import { describe, expect, it } from "vitest";
import type { HostOptions } from "../../../src/host/index.ts";
import { encodeFrame } from "../../../src/protocol/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { type HostRig, hostTransports } from "../../support/host-transports.ts";
import { beginStream, chunk, streaming } from "../../support/raw-streams.ts";
import { RawWorker, textOf } from "../../support/raw-worker.ts";

const older = { isAnnounced: true, metadata: { agcaps: "turns" } } as const;

async function openScene(start: (options?: HostOptions) => Promise<HostRig>, options?: HostOptions) {
  const rig = await start(options);
  const target = await new RawWorker(rig.dial(), "T", streaming).join();
  await target.register("poet");
  const caller = await new RawWorker(rig.dial(), "C", streaming).join();
  return { rig, caller, target, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() };
}

describe.each(hostTransports)("answers in parts through the host over $name", ({ start }) => {
  it("names streams to a worker of Troupe's", async () => {
    await using rig = await start();
    const worker = new RawWorker(rig.dial(), "W", streaming).open();
    expect((await worker.responseMetadata()).agcaps?.split(",")).toContain("streams");
  });

  it("go to their caller under its own id, with their own bytes, and the answer behind them", async () => {
    await using scene = await openScene(start);
    const { caller, target } = scene;
    const requestId = await beginStream(caller, target);
    for (const offset of [0, 1]) target.send(chunk(requestId, offset));
    target.respond(requestId, "the answer");
    for (const offset of [0, 1]) {
      const { frame, bytes } = await caller.nextArrived();
      expect(frame.kind).toBe("chunk");
      expect(Buffer.from(bytes).equals(encodeFrame(chunk("7", offset)))).toBe(true);
    }
    expect(textOf(await caller.nextResponse())).toBe("the answer");
    const chunkBytes = [0, 1].reduce((sum, offset) => sum + encodeFrame(chunk(requestId, offset)).length, 0);
    const counted = { chunks: 2, chunkBytes, lateChunks: 0, strayChunks: 0, stalledStreams: 0 };
    expect(scene.rig.host.counters()).toMatchObject(counted);
  });

  it("are told to an observer with the end of their call, and not for a call that asked for none", async () => {
    const seen: (number | undefined)[] = [];
    await using scene = await openScene(start, { observer: (what) => what.at === "call" && seen.push(what.chunks) });
    const { caller, target } = scene;
    const requestId = await beginStream(caller, target);
    for (const offset of [0, 1]) target.send(chunk(requestId, offset));
    target.respond(requestId, "the answer");
    for (let frames = 0; frames < 3; frames += 1) await caller.next();
    caller.request("8", "poet/k");
    target.respond((await target.nextRequest()).requestId, "whole");
    await caller.nextResponse();
    expect(seen.slice(-2)).toEqual([2, undefined]);
  });

  it("of a stream whose reader grants no more count as stalled when its time is up", async () => {
    const clock = new ManualClock();
    await using scene = await openScene(start, { clock, callTimeoutMs: 1_000 });
    const { rig, caller, target } = scene;
    const requestId = await beginStream(caller, target);
    target.send(chunk(requestId, 0, 1_024));
    expect(await caller.next()).toMatchObject({ kind: "chunk" });
    clock.advance(1_001);
    expect((await caller.nextResponse()).metadata).toMatchObject({ agerrorcode: "timed-out" });
    expect(rig.host.counters()).toMatchObject({ stalledStreams: 1, timedOutCalls: 1 });
    // One that its handler keeps waiting is not stalled.
    await target.nextCancel();
    await beginStream(caller, target);
    clock.advance(1_001);
    expect((await caller.nextResponse()).metadata).toMatchObject({ agerrorcode: "timed-out" });
    expect(rig.host.counters()).toMatchObject({ stalledStreams: 1, timedOutCalls: 2 });
  });

  it("take a grant of the caller to the target, under the id that the target knows", async () => {
    await using scene = await openScene(start);
    const { caller, target } = scene;
    const requestId = await beginStream(caller, target);
    caller.send({ kind: "credit", requestId: "7", bytes: 2_048 });
    expect(await target.next()).toEqual({ kind: "credit", requestId, bytes: 2_048 });
    // A repeated grant says nothing new.
    caller.send({ kind: "credit", requestId: "7", bytes: 2_048 });
    expect(await caller.settled()).toEqual([]);
    expect(await target.settled()).toEqual([]);
  });

  it("let no reader fill the target's queue with tiny grants, and pass on their sum", async () => {
    await using scene = await openScene(start);
    const { caller, target } = scene;
    const requestId = await beginStream(caller, target);
    for (let bytes = 1_040; bytes <= 3_000; bytes += 8) caller.send({ kind: "credit", requestId: "7", bytes });
    expect(await caller.settled()).toEqual([]);
    expect(await target.settled()).toEqual([{ kind: "credit", requestId, bytes: 2_048 }]);
    target.send(chunk(requestId, 0, 1_936));
    expect(await target.next()).toEqual({ kind: "credit", requestId, bytes: 3_000 });
  });

  it("let the target send 1 MiB at a time for a reader that grants without end", async () => {
    await using scene = await openScene(start);
    const { caller, target } = scene;
    const requestId = await beginStream(caller, target);
    const mebi = 1024 * 1024;
    caller.send({ kind: "credit", requestId: "7", bytes: Number.MAX_SAFE_INTEGER });
    expect(await target.next()).toEqual({ kind: "credit", requestId, bytes: mebi });
    target.send(chunk(requestId, 0, mebi - 64));
    expect(await target.next()).toEqual({ kind: "credit", requestId, bytes: 2 * mebi });
    expect(await caller.next()).toMatchObject({ kind: "chunk", offset: 0 });
    expect(await target.settled()).toEqual([]);
  });

  it("let the target go on for a reader whose first grant is more than it uses", async () => {
    await using scene = await openScene(start);
    const { caller, target } = scene;
    const mebi = 1024 * 1024;
    const requestId = await beginStream(caller, target, String(4 * mebi));
    target.send(chunk(requestId, 0, mebi - 64));
    expect(await target.next()).toEqual({ kind: "credit", requestId, bytes: 2 * mebi });
    expect(await caller.next()).toMatchObject({ kind: "chunk", offset: 0 });
  });

  it.each([
    ["a stock worker", {}],
    ["a worker that does not name streams", older],
  ])("are neither asked of %s, nor taken from it", async (_who, options) => {
    await using scene = await openScene(start);
    const { rig, caller } = scene;
    const target = await new RawWorker(rig.dial(), "S", options).join();
    await target.register("stock");
    caller.request("7", "stock/k", { metadata: { agstream: "1024", mine: "kept" } });
    const { requestId, metadata } = await target.nextRequest();
    expect(metadata).toEqual({ mine: "kept" });
    target.send(chunk(requestId, 0));
    target.respond(requestId, "whole");
    expect(textOf(await caller.nextResponse())).toBe("whole");
    expect(rig.host.counters()).toMatchObject({ strayChunks: 1 });
  });

  it.each([
    ["a stock worker", {}],
    ["a worker that does not name streams", older],
  ])("are not asked for in the name of %s", async (_who, options) => {
    await using scene = await openScene(start);
    const { rig, target } = scene;
    const caller = await new RawWorker(rig.dial(), "S", options).join();
    caller.request("7", "poet/k", { metadata: { agstream: "1024" } });
    const { requestId, metadata } = await target.nextRequest();
    expect(metadata).toEqual({});
    target.send(chunk(requestId, 0));
    target.respond(requestId, "whole");
    expect(textOf(await caller.nextResponse())).toBe("whole");
  });

  it("come from no worker but the target, and not after the answer", async () => {
    await using scene = await openScene(start);
    const { rig, caller, target } = scene;
    const other = await new RawWorker(rig.dial(), "O", streaming).join();
    const requestId = await beginStream(caller, target);
    other.send(chunk(requestId, 0));
    await other.settled();
    target.respond(requestId, "the answer");
    target.send(chunk(requestId, 0));
    await target.settled();
    expect(textOf(await caller.nextResponse())).toBe("the answer");
    expect(await caller.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ strayChunks: 1, lateChunks: 1, chunks: 0, pendingCalls: 0 });
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

  it("end with an error that says so when a chunk can't be read, and the channel of the target lives on", async () => {
    await using scene = await openScene(start);
    const { caller, target } = scene;
    const requestId = await beginStream(caller, target);
    const bytes = Buffer.from(encodeFrame(chunk(requestId, 0)));
    // No text has such a byte.
    bytes[bytes.indexOf("\x1a\x01T") + 2] = 0xff;
    target.sendBytes(bytes);
    const failed = await caller.nextResponse();
    expect(failed.metadata).toMatchObject({ agerrorcode: "invalid-message" });
    expect(failed.error).toMatch(/^A chunk of agent type poet can't be read/);
    expect(await target.nextCancel()).toMatchObject({ requestId, reason: "cancelled" });
    const next = await beginStream(caller, target);
    target.respond(next, "well");
    expect(textOf(await caller.nextResponse())).toBe("well");
  });

  it("end as overloaded for a caller that reads nothing, and do not keep others from theirs", async () => {
    const maxQueuedBytes = 1024 * 1024;
    await using scene = await openScene(start, { maxQueuedBytes, maxQueuedFrames: 1_000 });
    const { rig, caller, target } = scene;
    const slow = await new RawWorker(rig.dial(), "slow", streaming).join();
    slow.stream.pause();
    slow.request("7", "poet/k", { metadata: { agstream: "999999999" } });
    const stalled = await target.nextRequest();
    let cancelled = false;
    for (let offset = 0; !cancelled; offset += 1) {
      target.send(chunk(stalled.requestId, offset, 256 * 1024));
      cancelled = (await target.settled()).some(({ kind }) => kind === "cancel");
    }
    expect(rig.host.counters().queuedBytes).toBeLessThanOrEqual(2 * maxQueuedBytes);
    const requestId = await beginStream(caller, target);
    target.send(chunk(requestId, 0));
    target.respond(requestId, "the answer");
    expect(await caller.next()).toMatchObject({ kind: "chunk" });
    expect(textOf(await caller.nextResponse())).toBe("the answer");
  });

  it("give a stream the time limit of the host from its last chunk or grant on", async () => {
    const clock = new ManualClock();
    await using scene = await openScene(start, { clock, callTimeoutMs: 1_000, heartbeatMs: 0 });
    const { caller, target } = scene;
    const requestId = await beginStream(caller, target, "100000");
    for (const offset of [0, 1, 2]) {
      await clock.advance(900);
      target.send(chunk(requestId, offset));
      expect(await caller.next()).toMatchObject({ kind: "chunk", offset });
    }
    await clock.advance(900);
    caller.send({ kind: "credit", requestId: "7", bytes: 200_000 });
    expect(await target.next()).toMatchObject({ kind: "credit" });
    await clock.advance(999);
    expect(await caller.settled()).toEqual([]);
    await clock.advance(1);
    expect((await caller.nextResponse()).metadata).toMatchObject({ agerrorcode: "timed-out" });
    expect(await target.nextCancel()).toMatchObject({ requestId, reason: "timed-out" });
  });

  it("end with the caller's cancel, and with its channel", async () => {
    await using scene = await openScene(start);
    const { caller, target } = scene;
    const first = await beginStream(caller, target);
    caller.send({ kind: "cancel", requestId: "7", reason: "cancelled" });
    expect(await target.nextCancel()).toMatchObject({ requestId: first, reason: "cancelled" });
    const second = await beginStream(caller, target);
    caller.stream.end();
    expect(await target.nextCancel()).toMatchObject({ requestId: second, reason: "caller-gone" });
  });
});
