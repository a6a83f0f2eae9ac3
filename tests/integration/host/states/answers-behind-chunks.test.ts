import { describe, expect, it } from "vitest";
import type { HostOptions } from "../../../../src/host/index.ts";
import { encodeFrame } from "../../../../src/protocol/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { GatedStore } from "../../../support/gated-store.ts";
import { type HostRig, hostTransports } from "../../../support/host-transports.ts";
import { RawStates } from "../../../support/raw-states.ts";
import { beginStream, chunk } from "../../../support/raw-streams.ts";
import { RawWorker, textOf, textPayload } from "../../../support/raw-worker.ts";

const names = { isAnnounced: true, metadata: { agcaps: "turns,states,streams" } } as const;

/** A worker that serves `poet` and has its stream of states open, and a worker whose stream of poet/k has begun. */
async function openScene(start: (options?: HostOptions) => Promise<HostRig>, options?: HostOptions) {
  const rig = await start(options);
  const target = await new RawWorker(rig.dial(), "T", names).join();
  await target.register("poet");
  const states = new RawStates(target.link, "T");
  const caller = await new RawWorker(rig.dial(), "C", names).join();
  const requestId = await beginStream(caller, target);
  return { rig, caller, target, states, requestId, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() };
}

/** An answer that came behind so many chunks, for a commit. */
function answerBehind(requestId: string, chunks: number, text = "the answer"): Uint8Array {
  const metadata = { agchunks: String(chunks) };
  return encodeFrame({ kind: "response", requestId, payload: textPayload(text), error: "", metadata });
}

describe.each(hostTransports)("an answer that rides on a commit and overtakes its chunks, over $name", ({ start }) => {
  it("waits for the last of them, also when its commit is written long before", async () => {
    await using scene = await openScene(start);
    const { rig, caller, target, states, requestId } = scene;
    target.send(chunk(requestId, 0));
    states.commit("poet/k", { answers: [answerBehind(requestId, 3)] });
    expect((await states.next()).outcome).toMatchObject({ at: "committed" });
    expect(await caller.settled()).toMatchObject([{ kind: "chunk", offset: 0 }]);
    target.send(chunk(requestId, 1));
    expect(await caller.next()).toMatchObject({ kind: "chunk", offset: 1 });
    expect(await caller.settled()).toEqual([]);
    target.send(chunk(requestId, 2));
    expect(await caller.next()).toMatchObject({ kind: "chunk", offset: 2 });
    const answer = await caller.nextResponse();
    expect(textOf(answer)).toBe("the answer");
    expect(answer.metadata).toEqual({ agchunks: "3" });
    expect(rig.host.counters()).toMatchObject({ answers: 1, pendingCalls: 0, lateAnswers: 0, strayAnswers: 0 });
  });

  it("leaves without them when its worker is lost, since its state is written", async () => {
    await using scene = await openScene(start);
    const { rig, caller, target, states, requestId } = scene;
    target.send(chunk(requestId, 0));
    states.commit("poet/k", { answers: [answerBehind(requestId, 3)] });
    await states.next();
    expect(await caller.settled()).toHaveLength(1);
    target.stream.cancel();
    const answer = await caller.nextResponse();
    expect(textOf(answer)).toBe("the answer");
    expect(answer.metadata).toEqual({ agchunks: "3" });
    expect(rig.host.counters()).toMatchObject({ answers: 1, pendingCalls: 0 });
  });

  it("leaves at once when its worker was lost while the store wrote", async () => {
    const stateStore = new GatedStore();
    await using scene = await openScene(start, { stateStore });
    const { caller, target, states, requestId } = scene;
    states.commit("poet/k", { answers: [answerBehind(requestId, 3)] });
    const held = await stateStore.commits.take();
    target.stream.cancel();
    await target.ended;
    expect(await caller.settled()).toEqual([]);
    held.write();
    expect(textOf(await caller.nextResponse())).toBe("the answer");
  });

  it("leaves without them when the time of the call is up", async () => {
    const clock = new ManualClock();
    await using scene = await openScene(start, { clock, callTimeoutMs: 1_000 });
    const { rig, caller, states, requestId } = scene;
    states.commit("poet/k", { answers: [answerBehind(requestId, 1)] });
    await states.next();
    clock.advance(1_001);
    expect(textOf(await caller.nextResponse())).toBe("the answer");
    expect(rig.host.counters()).toMatchObject({ timedOutCalls: 0, answers: 1, pendingCalls: 0 });
  });

  it("leaves without them when one of them is more than its reader has granted", async () => {
    await using scene = await openScene(start);
    const { caller, target, states, requestId } = scene;
    states.commit("poet/k", { answers: [answerBehind(requestId, 3)] });
    await states.next();
    target.send(chunk(requestId, 0, 2_000));
    target.send(chunk(requestId, 1));
    expect(await caller.next()).toMatchObject({ kind: "chunk", offset: 0 });
    expect(textOf(await caller.nextResponse())).toBe("the answer");
  });

  it("leaves without the rest when a chunk was refused while the store wrote", async () => {
    const stateStore = new GatedStore();
    await using scene = await openScene(start, { stateStore });
    const { rig, caller, target, states, requestId } = scene;
    states.commit("poet/k", { answers: [answerBehind(requestId, 2)] });
    const held = await stateStore.commits.take();
    target.send(chunk(requestId, 0, 2_000));
    target.send(chunk(requestId, 1));
    expect(await caller.next()).toMatchObject({ kind: "chunk", offset: 0 });
    await target.settled();
    expect(await caller.settled()).toEqual([]);
    held.write();
    expect(textOf(await caller.nextResponse())).toBe("the answer");
    expect(rig.host.counters()).toMatchObject({ answers: 1, pendingCalls: 0 });
  });

  it("is forgotten, with its memory, when its caller leaves", async () => {
    await using scene = await openScene(start);
    const { rig, caller, target, states, requestId } = scene;
    const before = rig.host.counters().heldBytes;
    states.commit("poet/k", { answers: [answerBehind(requestId, 3, "x".repeat(100_000))] });
    await states.next();
    expect(rig.host.counters().heldBytes).toBeGreaterThan(before + 100_000);
    caller.send({ kind: "cancel", requestId: "7", reason: "cancelled" });
    await target.nextCancel();
    expect(rig.host.counters().pendingCalls).toBe(0);
    expect(rig.host.counters().heldBytes).toBeLessThan(before + 10_000);
  });
});
