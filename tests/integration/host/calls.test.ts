import { describe, expect, it } from "vitest";
import { encodeFrame } from "../../../src/protocol/index.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { hostTransports } from "../../support/host-transports.ts";
import { RawWorker, textOf, textPayload } from "../../support/raw-worker.ts";

describe.each(hostTransports)("calls through the host over $name", ({ start }) => {
  it("keeps the calls of two callers with the same request id apart, whatever the order of the answers [§8.42]", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.dial(), "T").join();
    await target.register("echo");
    const one = await new RawWorker(rig.dial(), "C1").join();
    const two = await new RawWorker(rig.dial(), "C2").join();
    one.request("1", "echo/one");
    const first = await target.nextRequest();
    two.request("1", "echo/two");
    const second = await target.nextRequest();
    expect(first.requestId).not.toBe(second.requestId);
    target.respond(second.requestId, "for two");
    target.respond(first.requestId, "for one");
    const answers = [await one.nextResponse(), await two.nextResponse()];
    expect(answers.map((answer) => [answer.requestId, textOf(answer)])).toEqual([
      ["1", "for one"],
      ["1", "for two"],
    ]);
    expect(rig.host.counters()).toMatchObject({ pendingCalls: 0, answers: 2 });
  });

  it("completes a call that is nested through the target's own worker [§8.43]", async () => {
    await using rig = await start();
    const a = await new RawWorker(rig.dial(), "A").join();
    const b = await new RawWorker(rig.dial(), "B").join();
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

  it("answers a call to an unknown type at once [§8.44]", async () => {
    await using rig = await start();
    const caller = await new RawWorker(rig.dial(), "C").join();
    caller.request("7", "nobody/k");
    expect(await caller.nextResponse()).toMatchObject({
      requestId: "7",
      error: "Agent type nobody not found.",
      metadata: { agerrortype: "UndeliverableException" },
    });
  });

  it.each([
    [
      "an invalid type",
      { type: "a b", key: "k" },
      "Invalid agent type: a b. Allowed values MUST match the regex: `^[\\w\\-\\.]+\\Z`",
    ],
    [
      "an empty type",
      { type: "", key: "k" },
      "Invalid agent type: . Allowed values MUST match the regex: `^[\\w\\-\\.]+\\Z`",
    ],
    ["no target", undefined, "The request names no target agent."],
  ])("answers a call with %s as target with an error [§8.45]", async (_name, target, error) => {
    await using rig = await start();
    const caller = await new RawWorker(rig.dial(), "C").join();
    caller.request("7", "x/y", { target });
    expect(await caller.nextResponse()).toMatchObject({ requestId: "7", error });
  });

  it.each(["cancel", "end"] as const)(
    "answers the caller when the target leaves by %s mid-call [§8.46]",
    async (leave) => {
      await using rig = await start();
      const target = await new RawWorker(rig.dial(), "T").join();
      await target.register("echo");
      const caller = await new RawWorker(rig.dial(), "C").join();
      caller.request("1", "echo/k");
      await target.nextRequest();
      target.stream[leave]();
      expect(await caller.nextResponse()).toMatchObject({
        requestId: "1",
        error: "Client for agent type echo disconnected.",
        metadata: { agerrortype: "UndeliverableException" },
      });
      expect(rig.host.counters().pendingCalls).toBe(0);
    },
  );

  it("forgets the calls of a caller that disconnects and discards the late answer [§8.47]", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.dial(), "T").join();
    await target.register("echo");
    const caller = await new RawWorker(rig.dial(), "C").join();
    await caller.register("caller");
    caller.request("1", "echo/k");
    const asked = await target.nextRequest();
    caller.stream.cancel();
    await target.takeOver("caller");
    expect(rig.host.counters().pendingCalls).toBe(0);
    target.respond(asked.requestId, "too late");
    expect(await target.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ lateAnswers: 1, pendingCalls: 0 });
  });

  it("answers for a silent target when the time is up, and ignores its later answer [§8.48]", async () => {
    const clock = new ManualClock();
    await using rig = await start({ clock, callTimeoutMs: 1_000 });
    const target = await new RawWorker(rig.dial(), "T").join();
    await target.register("echo");
    const caller = await new RawWorker(rig.dial(), "C").join();
    caller.request("1", "echo/k");
    const asked = await target.nextRequest();
    clock.advance(999);
    expect(await caller.settled()).toEqual([]);
    clock.advance(1);
    expect(await caller.nextResponse()).toMatchObject({
      requestId: "1",
      error: "Request to echo/k timed out after 1000 ms.",
      metadata: { agerrortype: "Timeout" },
    });
    target.respond(asked.requestId, "too late");
    await target.settled();
    expect(await caller.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ lateAnswers: 1, timedOutCalls: 1 });
  });

  it.each([
    { own: "200", hostMs: 1_000, afterMs: 200 },
    { own: "5000", hostMs: 1_000, afterMs: 1_000 },
    { own: "200", hostMs: 0, afterMs: 200 },
    { own: "soon", hostMs: 1_000, afterMs: 1_000 },
  ])(
    "takes the smaller of the caller's bound ($own) and its own ($hostMs): $afterMs ms",
    async ({ own, hostMs, afterMs }) => {
      const clock = new ManualClock();
      await using rig = await start({ clock, callTimeoutMs: hostMs });
      const worker = await new RawWorker(rig.dial(), "T").join();
      await worker.register("echo");
      worker.request("1", "echo/k", { metadata: { agtimeoutms: own } });
      expect((await worker.nextRequest()).metadata).toEqual({ agtimeoutms: own });
      clock.advance(afterMs - 1);
      expect(await worker.settled()).toEqual([]);
      clock.advance(1);
      expect((await worker.nextResponse()).error).toBe(`Request to echo/k timed out after ${afterMs} ms.`);
    },
  );

  it("forwards only the first of two answers [§8.49]", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.dial(), "W").join();
    await worker.register("echo");
    worker.request("1", "echo/k");
    const asked = await worker.nextRequest();
    worker.respond(asked.requestId, "first");
    worker.respond(asked.requestId, "second");
    const answers = await worker.settled();
    expect(answers).toHaveLength(1);
    expect(rig.host.counters().lateAnswers).toBe(1);
  });

  it("ignores an answer to an id it never issued, and one from a worker that was not asked [§8.50]", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.dial(), "T").join();
    await target.register("echo");
    const caller = await new RawWorker(rig.dial(), "C").join();
    const stranger = await new RawWorker(rig.dial(), "S").join();
    caller.request("1", "echo/k");
    const asked = await target.nextRequest();
    stranger.respond("99", "never asked");
    stranger.respond("1", "the caller's id");
    stranger.respond(asked.requestId, "forged");
    await stranger.settled();
    expect(await caller.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ lateAnswers: 2, strayAnswers: 1, pendingCalls: 1 });
    target.respond(asked.requestId, "genuine");
    expect(textOf(await caller.nextResponse())).toBe("genuine");
  });

  it("hands source, method, metadata and payload to the target unchanged [§8.51]", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.dial(), "W").join();
    await worker.register("echo");
    // id 1, source a/b, target echo/k, method "m", a payload and one metadata entry; the host replaces the id alone.
    const fields = `12060a01611201621a090a046563686f12016b22016d2a2f0a094d794d65737361676512106170706c69636174696f6e2f6a736f6e1a107b22636f6e74656e74223a202271227d32060a01781201c3`;
    const body = Buffer.from(fields.replace(/c3$/, "79"), "hex");
    worker.sendBytes(Buffer.concat([Buffer.from([0x0a, body.length + 3, 0x0a, 0x01, 0x31]), body]));
    const { bytes, frame } = await worker.nextArrived();
    expect(frame).toMatchObject({ kind: "request", source: { type: "a", key: "b" }, metadata: { x: "y" } });
    expect(Buffer.from(bytes).subarray(-body.length).toString("hex")).toBe(body.toString("hex"));
  });

  it("leaves an absent source absent [§8.52]", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.dial(), "W").join();
    await worker.register("echo");
    worker.request("1", "echo/k", { source: undefined, payload: textPayload("q") });
    expect((await worker.nextRequest()).source).toBeUndefined();
  });

  it("answers pending calls with an error before their streams end when it stops [§8.53]", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.dial(), "T").join();
    await target.register("echo");
    const caller = await new RawWorker(rig.dial(), "C").join();
    caller.request("1", "echo/k");
    await target.nextRequest();
    const stopped = rig.host.stop({ graceMs: 5_000 });
    expect(await caller.nextResponse()).toMatchObject({
      requestId: "1",
      error: "Host is shutting down.",
      metadata: { agerrortype: "UndeliverableException" },
    });
    expect(await caller.ended).toMatchObject({ by: "status", status: { details: "Host is shutting down." } });
    await stopped;
  });

  it("carries a call to an agent type on the caller's own worker [§8.54]", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.dial(), "W").join();
    await worker.register("echo");
    worker.request("1", "echo/k");
    worker.respond((await worker.nextRequest()).requestId, "self");
    expect(textOf(await worker.nextResponse())).toBe("self");
  });

  it("answers a call with an empty request id under an empty request id [§8.55]", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.dial(), "W").join();
    await worker.register("echo");
    worker.request("", "echo/k");
    const asked = await worker.nextRequest();
    expect(asked.requestId).not.toBe("");
    worker.respond(asked.requestId, "ok");
    expect(await worker.nextResponse()).toMatchObject({ requestId: "", error: "" });
    worker.request("", "nobody/k");
    expect(await worker.nextResponse()).toMatchObject({ requestId: "", error: "Agent type nobody not found." });
  });

  it("passes a target's own error on with its metadata", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.dial(), "W").join();
    await worker.register("echo");
    worker.request("1", "echo/k");
    const { requestId } = await worker.nextRequest();
    worker.send({
      kind: "response",
      requestId,
      payload: undefined,
      error: "boom",
      metadata: { agerrortype: "HandlerError" },
    });
    expect(await worker.nextResponse()).toMatchObject({
      requestId: "1",
      error: "boom",
      metadata: { agerrortype: "HandlerError" },
    });
  });

  it.each([
    ["an announced caller is told", true],
    ["a stock caller is not told", false],
  ])("%s what the handler threw", async (_who, isAnnounced) => {
    await using rig = await start();
    const target = await new RawWorker(rig.dial(), "T", { isAnnounced: true }).join();
    await target.register("echo");
    const caller = await new RawWorker(rig.dial(), "C", { isAnnounced }).join();
    caller.request("1", "echo/k");
    const { requestId } = await target.nextRequest();
    const stock = { agerrortype: "HandlerError", agerrorcode: "handler-failed" };
    const answer = { kind: "response", payload: undefined, error: "boom" } as const;
    const metadata = {
      ...stock,
      agerrordetail: '{"name":"RangeError","detail":{},"causes":[]}',
      agnothandled: "1",
      traceparent: "t",
    };
    target.send({ ...answer, requestId, metadata });
    const { bytes } = await caller.nextArrived();
    const seen = isAnnounced ? metadata : { ...stock, traceparent: "t" };
    expect([...bytes]).toEqual([...encodeFrame({ ...answer, requestId: "1", metadata: seen })]);
  });

  it("holds a call until the channel of a client that has registered ahead of it opens [§8.19]", async () => {
    await using rig = await start();
    const target = new RawWorker(rig.dial(), "T");
    await target.register("echo");
    const caller = await new RawWorker(rig.dial(), "C").join();
    caller.request("1", "echo/k");
    expect(await caller.settled()).toEqual([]);
    target.open();
    target.respond((await target.nextRequest()).requestId, "late but there");
    expect(textOf(await caller.nextResponse())).toBe("late but there");
  });

  it("answers a held call with an error when the channel does not come in time", async () => {
    const clock = new ManualClock();
    await using rig = await start({ clock, channelWaitMs: 500 });
    const target = new RawWorker(rig.dial(), "T");
    await target.register("echo");
    const caller = await new RawWorker(rig.dial(), "C").join();
    caller.request("1", "echo/k");
    await caller.settled();
    clock.advance(500);
    expect((await caller.nextResponse()).error).toBe("Client for agent type echo disconnected.");
    await target.join();
    expect(rig.host.counters().pendingCalls).toBe(0);
  });

  it("tells the caller of a request that can't be read, and lets the stream live", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.dial(), "W").join();
    // A whole request id, then a target that is cut off.
    worker.sendBytes(Buffer.from("0a070a01391a0a0a04", "hex"));
    const answer = await worker.nextResponse();
    expect(answer.requestId).toBe("9");
    expect(answer.error).toMatch(/^The request can't be read: /);
    worker.sendBytes(Buffer.from("ffffffff", "hex"));
    expect(await worker.settled()).toEqual([]);
    expect(rig.host.counters().badFrames).toBe(2);
  });

  it("tells the caller when the answer to its call can't be read", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.dial(), "W").join();
    await worker.register("echo");
    worker.request("1", "echo/k");
    const { requestId } = await worker.nextRequest();
    const id = Buffer.from(requestId);
    // The host's own id, then an error text that is not UTF-8.
    const body = Buffer.concat([Buffer.from([0x0a, id.length]), id, Buffer.from("1a01ff", "hex")]);
    worker.sendBytes(Buffer.concat([Buffer.from([0x12, body.length]), body]));
    const answer = await worker.nextResponse();
    expect(answer.requestId).toBe("1");
    expect(answer.error).toMatch(/^The answer of agent type echo can't be read: /);
    expect(rig.host.counters()).toMatchObject({ badFrames: 1, pendingCalls: 0 });
  });

  it("keeps a call from a stock gRPC worker that could not receive it, and tells the caller", async () => {
    await using rig = await start({ stockPeerMaxBytes: 1_000 });
    const target = await new RawWorker(rig.dial("grpc-python/1.83.0"), "T").join();
    await target.register("echo");
    const caller = await new RawWorker(rig.dial(), "C").join();
    caller.request("1", "echo/k", { payload: textPayload("x".repeat(2_000)) });
    expect((await caller.nextResponse()).error).toMatch(
      /^The request of \d+ bytes exceeds what the worker of agent type echo can receive \(1000 bytes\)\.$/,
    );
    target.request("2", "echo/k");
    const asked = await target.nextRequest();
    expect(encodeFrame(asked).length).toBeLessThan(1_000);
    target.respond(asked.requestId, "x".repeat(2_000));
    expect((await target.nextResponse()).error).toMatch(
      /^The answer of agent type echo has \d+ bytes and exceeds what the caller can receive \(1000 bytes\)\.$/,
    );
  });
});
