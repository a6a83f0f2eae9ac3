import { describe, expect, it } from "vitest";
import { MemoryStateStore } from "../../../../src/storage/index.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { GatedStore } from "../../../support/gated-store.ts";
import { type HostRig, hostTransports } from "../../../support/host-transports.ts";
import { answerTo, eventOn, namesStates, RawStates } from "../../../support/raw-states.ts";
import { exact, RawWorker, textOf } from "../../../support/raw-worker.ts";

const counter = { type: "counter", key: "a" };

/** A worker that serves `counter` and has its stream of states open, and a worker that calls it. */
async function startPair(rig: HostRig) {
  const server = await new RawWorker(rig.dial(), "S", namesStates).join();
  await server.register("counter");
  const states = new RawStates(server.link, "S");
  const caller = await new RawWorker(rig.dial(), "C").join();
  return { server, states, caller };
}

/** A call to `counter/a` that the server has. */
async function startCall({ server, caller }: { server: RawWorker; caller: RawWorker }, requestId = "1") {
  caller.request(requestId, "counter/a");
  return server.nextRequest();
}

describe.each(hostTransports)("a commit that carries an answer, over $name", ({ start }) => {
  it("with thousands of events lets others have their turn before all of them have left, and then the worker", async () => {
    const clock = new ManualClock();
    await using rig = await start({ clock });
    const pair = await startPair(rig);
    await pair.caller.subscribe("s", exact("news", "reader"));
    await pair.caller.register("reader");
    const call = await startCall(pair);
    const events = Array.from({ length: 3_000 }, (_, at) => eventOn("news", `E${at}`));
    pair.states.commit("counter/a", { answers: [answerTo(call, "one")], events });
    pair.states.commit("counter/a", { expected: { at: "anything" }, events: [eventOn("news", "last")] });
    expect(textOf(await pair.caller.nextResponse())).toBe("one");
    const other = await new RawWorker(rig.dial(), "O").join();
    await other.settled();
    expect(rig.host.counters().events).toBeLessThan(1_000);
    expect(pair.states.answers.rest).toEqual([]);
    for (let turn = 0; turn < 10; turn += 1) {
      clock.advance(1);
      await other.settled();
    }
    for (const { outcome } of [await pair.states.next(), await pair.states.next()])
      expect(outcome.at).toBe("committed");
    const heard: string[] = [];
    while (heard.at(-1) !== "last") heard.push((await pair.caller.nextEvent()).id);
    expect(heard).toEqual([...events.keys()].map((at) => `E${at}`).concat("last"));
  });

  it("lets the answer and its events go when the store has written, and not before", async () => {
    const stateStore = new GatedStore();
    await using rig = await start({ stateStore });
    const pair = await startPair(rig);
    await pair.caller.subscribe("s", exact("news", "reader"));
    await pair.caller.register("reader");
    const call = await startCall(pair);
    pair.states.commit("counter/a", { answers: [answerTo(call, "one")], events: [eventOn("news", "E1")] });
    const held = await stateStore.commits.take();
    expect(await pair.caller.settled()).toEqual([]);
    held.write();
    expect(textOf(await pair.caller.nextResponse())).toBe("one");
    expect((await pair.caller.nextEvent()).id).toBe("E1");
    expect((await pair.states.next()).outcome).toMatchObject({ at: "committed", revision: 1 });
    const record = await stateStore.load(counter);
    const { generation } = (record !== "unchanged" && record?.epoch) || { generation: 0 };
    expect(record).toMatchObject({ revision: 1, schemaVersion: 1, epoch: { generation, era: 0, number: 0 } });
    expect(generation).toBeGreaterThan(0);
    expect(rig.host.counters()).toMatchObject({ commits: 1, answers: 1, lateAnswers: 0, pendingCalls: 0 });
  });

  it("changes nothing and answers nobody if another has written, so that the worker can try again", async () => {
    await using rig = await start();
    const pair = await startPair(rig);
    const call = await startCall(pair);
    pair.states.commit("counter/a");
    pair.states.commit("counter/a", { answers: [answerTo(call, "lost")], events: [eventOn("news", "E1")] });
    const { outcome } = await pair.states.next();
    expect((await pair.states.next()).outcome).toEqual({ at: "conflict", eTag: "eTag" in outcome ? outcome.eTag : "" });
    expect(await pair.caller.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ commits: 1, conflictingCommits: 1, events: 0, pendingCalls: 1 });
    pair.server.respond(call.requestId, "on the data channel");
    expect(textOf(await pair.caller.nextResponse())).toBe("on the data channel");
  });

  it("gives the caller its answer though the worker is lost while the store writes", async () => {
    const stateStore = new GatedStore();
    await using rig = await start({ stateStore });
    const pair = await startPair(rig);
    const call = await startCall(pair);
    pair.caller.request("2", "counter/a");
    await pair.server.nextRequest();
    pair.states.commit("counter/a", { answers: [answerTo(call, "one")] });
    const held = await stateStore.commits.take();
    await pair.server.link.close();
    // The other call ends with the worker.
    expect(await pair.caller.nextResponse()).toMatchObject({
      requestId: "2",
      metadata: { agerrorcode: "disconnected" },
    });
    held.write();
    expect(textOf(await pair.caller.nextResponse())).toBe("one");
    expect(await stateStore.load(counter)).toMatchObject({ revision: 1 });
  });

  it.each([
    ["unavailable", "state-unavailable"],
    ["unknown", "state-unknown"],
  ] as const)("tells the caller if the worker is lost and the store is %s", async (storeCode, code) => {
    const stateStore = new GatedStore();
    await using rig = await start({ stateStore });
    const pair = await startPair(rig);
    const call = await startCall(pair);
    pair.states.commit("counter/a", { answers: [answerTo(call, "one")] });
    const held = await stateStore.commits.take();
    await pair.server.link.close();
    await pair.caller.settled();
    held.fail(storeCode);
    const { error, metadata } = await pair.caller.nextResponse();
    expect(metadata).toMatchObject({ agerrorcode: code });
    expect(error).not.toContain("agents.db");
    expect(rig.host.counters()).toMatchObject({ storeErrors: 1, commits: 0 });
  });

  it.each([
    ["full", "disconnected"],
    ["unknown", "state-unknown"],
  ] as const)(
    "tells the caller if the store is %s and the worker is lost before it has said so",
    async (storeCode, code) => {
      const stateStore = new GatedStore();
      await using rig = await start({ stateStore });
      const pair = await startPair(rig);
      const call = await startCall(pair);
      pair.states.commit("counter/a", { answers: [answerTo(call, "one")] });
      (await stateStore.commits.take()).fail(storeCode);
      await pair.states.next();
      await pair.server.link.close();
      expect((await pair.caller.nextResponse()).metadata).toMatchObject({ agerrorcode: code });
    },
  );

  it("tells the worker alone while it is there, which answers the call itself", async () => {
    const stateStore = new GatedStore();
    await using rig = await start({ stateStore });
    const pair = await startPair(rig);
    const call = await startCall(pair);
    pair.states.commit("counter/a", { answers: [answerTo(call, "one")] });
    (await stateStore.commits.take()).fail("full");
    expect(await pair.states.nextFailure()).toMatchObject({
      code: "state-unavailable",
      text: "The state store of the host is full. Its operator has to make space.",
    });
    expect(await pair.caller.settled()).toEqual([]);
    pair.server.respond(call.requestId, "rolled back");
    expect(textOf(await pair.caller.nextResponse())).toBe("rolled back");
  });

  it("is not ended by the host's time limit while the store writes", async () => {
    const [stateStore, clock] = [new GatedStore(), new ManualClock()];
    await using rig = await start({ stateStore, clock, callTimeoutMs: 1_000, heartbeatTimeoutMs: 0 });
    const pair = await startPair(rig);
    const call = await startCall(pair);
    pair.caller.request("2", "counter/a", { metadata: { agtimeoutms: "500" } });
    const shorter = await pair.server.nextRequest();
    pair.states.commit("counter/a", { answers: [answerTo(call, "one"), answerTo(shorter, "two")] });
    const held = await stateStore.commits.take();
    pair.caller.request("3", "counter/a");
    await pair.server.nextRequest();
    await clock.advance(1_000);
    expect(await pair.caller.nextResponse()).toMatchObject({ requestId: "3", metadata: { agerrorcode: "timed-out" } });
    held.write();
    expect(textOf(await pair.caller.nextResponse())).toBe("one");
    expect(textOf(await pair.caller.nextResponse())).toBe("two");
    expect(rig.host.counters().timedOutCalls).toBe(1);
  });

  it("times the call out after all when the commit came to nothing", async () => {
    const [stateStore, clock] = [new GatedStore(), new ManualClock()];
    await using rig = await start({ stateStore, clock, callTimeoutMs: 1_000, heartbeatTimeoutMs: 0 });
    const pair = await startPair(rig);
    const call = await startCall(pair);
    pair.states.commit("counter/a", { expected: { at: "version", eTag: "other" }, answers: [answerTo(call, "one")] });
    const held = await stateStore.commits.take();
    await clock.advance(1_000);
    held.write();
    expect(await pair.caller.nextResponse()).toMatchObject({ metadata: { agerrorcode: "timed-out" } });
    expect((await pair.states.next()).outcome.at).toBe("conflict");
  });

  it("is written and answered while the host stops, which refuses other calls and later commits", async () => {
    const stateStore = new GatedStore();
    await using rig = await start({ stateStore });
    const pair = await startPair(rig);
    const call = await startCall(pair);
    pair.caller.request("2", "counter/a");
    await pair.server.nextRequest();
    pair.states.commit("counter/a", { answers: [answerTo(call, "one")] });
    const held = await stateStore.commits.take();
    const stopped = rig.host.stop();
    expect(await pair.caller.nextResponse()).toMatchObject({
      requestId: "2",
      metadata: { agerrorcode: "shutting-down" },
    });
    pair.states.commit("counter/b");
    expect(await pair.states.nextFailure()).toMatchObject({ code: "shutting-down" });
    held.write();
    expect(textOf(await pair.caller.nextResponse())).toBe("one");
    expect((await pair.states.next()).outcome.at).toBe("committed");
    await stopped;
    // The host has closed the store.
    await expect(stateStore.load(counter)).rejects.toMatchObject({ storeCode: "closed" });
  });

  it("drops and counts an answer that comes late, twice or from another worker", async () => {
    await using rig = await start();
    const pair = await startPair(rig);
    const other = await new RawWorker(rig.dial(), "O", namesStates).join();
    await other.register("other");
    const states = new RawStates(other.link, "O");
    const call = await startCall(pair);
    states.commit("other/a", { answers: [answerTo(call, "stray")] });
    await states.next();
    expect(await pair.caller.settled()).toEqual([]);
    pair.states.commit("counter/a", { answers: [answerTo(call, "one"), answerTo(call, "two")] });
    expect(textOf(await pair.caller.nextResponse())).toBe("one");
    await pair.states.next();
    pair.states.commit("counter/b", { answers: [answerTo(call, "three")] });
    await pair.states.next();
    expect(await pair.caller.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ strayAnswers: 1, lateAnswers: 2, commits: 3 });
  });

  it("drops the answer if the caller gives up meanwhile, and the state is changed", async () => {
    const stateStore = new GatedStore();
    await using rig = await start({ stateStore });
    const pair = await startPair(rig);
    const call = await startCall(pair);
    pair.states.commit("counter/a", { answers: [answerTo(call, "one")] });
    const held = await stateStore.commits.take();
    await pair.caller.link.close();
    await pair.server.nextCancel();
    held.write();
    expect((await pair.states.next()).outcome.at).toBe("committed");
    expect(rig.host.counters()).toMatchObject({ abandonedCalls: 1, lateAnswers: 1 });
  });
});

describe("the host's state store", () => {
  it("is closed when a host that could not listen is stopped", async () => {
    const stateStore = new MemoryStateStore();
    await using first = await hostTransports[1]?.start();
    const { Host } = await import("../../../../src/host/index.ts");
    const { grpcListener } = await import("../../../../src/transport/index.ts");
    const host = new Host({ listener: grpcListener(), address: first?.host.address ?? "" }, { stateStore });
    await expect(host.start()).rejects.toMatchObject({ code: "already-exists" });
    await host.stop();
    await expect(stateStore.load(counter)).rejects.toMatchObject({ storeCode: "closed" });
  });

  it("refuses a second host while the first holds it, unless that one takes it over", async () => {
    const [memory] = hostTransports;
    const stateStore = new MemoryStateStore();
    await using first = await memory?.start({ stateStore });
    await expect(memory?.start({ stateStore: stateStore.reopen() })).rejects.toMatchObject({ storeCode: "in-use" });
    await using second = await memory?.start({ stateStore: stateStore.reopen(), takesOver: true });
    if (first === undefined || second === undefined) throw new Error("no host");
    const { states } = await startPair(first);
    states.commit("counter/a");
    expect(await states.nextFailure()).toMatchObject({ code: "state-unavailable" });
    const pair = await startPair(second);
    pair.states.commit("counter/a");
    expect((await pair.states.next()).outcome.at).toBe("committed");
  });
});
