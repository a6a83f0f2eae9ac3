import { describe, expect, test } from "vitest";
import { AgentId, CancelledError, type MessageContext, TimedOutError } from "../../../src/core/index.ts";
import type { Frame } from "../../../src/protocol/index.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { RpcError } from "../../../src/transport/index.ts";
import type { WorkerOptions, WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { next, requestFrame, responseFrame } from "../../support/worker/frames.ts";
import { FunctionAgent, type OnMessage } from "../../support/worker/function-agent.ts";
import { MyMessage, Reply } from "../../support/worker/messages.ts";
import { ScriptedHost, type ScriptedStream } from "../../support/worker/scripted-host.ts";
import { startRig, type Transport } from "../../support/worker/worker-rig.ts";

const target = new AgentId("a", "k");
const message = MyMessage({ content: "q" });

async function openHost(isTroupe: boolean): Promise<ScriptedHost> {
  const host = new ScriptedHost();
  host.isTroupe = isTroupe;
  // A worker whose clock stands still would wait for ever for a host that does not answer its goodbye.
  host.endsChannels = true;
  return host.listen();
}

async function serve(worker: WorkerRuntime, handle: OnMessage): Promise<void> {
  worker.addMessageSerializer([MyMessage, Reply]);
  await worker.registerFactory("a", () => new FunctionAgent(handle));
}

/** Everything the worker has sent up to now: its answer to one more call comes last and is left out. */
async function sentSoFar(worker: WorkerRuntime, channel: ScriptedStream<Frame>): Promise<Frame[]> {
  await worker.registerFactory("barrier", () => new FunctionAgent());
  channel.send(requestFrame("barrier/k", { requestId: "barrier" }));
  const frames: Frame[] = [];
  for (;;) {
    const frame = await channel.received.take();
    if (frame.kind === "response" && frame.requestId === "barrier") return frames;
    frames.push(frame);
  }
}

function abortOf({ signal }: MessageContext): Promise<unknown> {
  if (signal.aborted) return Promise.resolve(signal.reason);
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason)));
}

describe("a call that this worker gives up", () => {
  test("announces itself on its data channel", async () => {
    await using host = await openHost(true);
    const [, channel] = await host.worker();
    expect(channel.metadata.agtroupe).toBe("1");
  });

  test("is cancelled at a host that announced itself, with the reason", async () => {
    await using host = await openHost(true);
    const clock = new ManualClock();
    const [worker, channel] = await host.worker({ clock });
    const aborting = new AbortController();
    const aborted = worker.sendMessage(message, target, { signal: aborting.signal });
    const { requestId: first } = await next(channel, "request");
    aborting.abort();
    await expect(aborted).rejects.toBeInstanceOf(CancelledError);
    expect(await next(channel, "cancel")).toEqual({ kind: "cancel", requestId: first, reason: "cancelled" });
    const late = worker.sendMessage(message, target, { timeoutMs: 50 });
    const { requestId: second } = await next(channel, "request");
    clock.advance(50);
    await expect(late).rejects.toBeInstanceOf(TimedOutError);
    expect(await next(channel, "cancel")).toEqual({ kind: "cancel", requestId: second, reason: "timed-out" });
  });

  test("is none of a stock host's business: it sees calls and nothing else", async () => {
    await using host = await openHost(false);
    const clock = new ManualClock();
    const [worker, channel] = await host.worker({ clock });
    const aborting = new AbortController();
    const calls = Promise.allSettled([
      worker.sendMessage(message, target, { signal: aborting.signal }),
      worker.sendMessage(message, target, { timeoutMs: 50 }),
    ]);
    aborting.abort();
    clock.advance(50);
    expect((await calls).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    const sent = await sentSoFar(worker, channel);
    expect(sent.map(({ kind }) => kind)).toEqual(["request", "request"]);
  });

  test("before it was sent is not heard of", async () => {
    await using host = await openHost(true);
    const [worker, channel] = await host.worker();
    const signal = AbortSignal.abort("never mind");
    await expect(worker.sendMessage(message, target, { signal })).rejects.toMatchObject({ cause: "never mind" });
    await expect(worker.sendMessage(message, target, { timeoutMs: 0 })).rejects.toBeInstanceOf(TimedOutError);
    expect(await sentSoFar(worker, channel)).toEqual([]);
  });

  test("after its answer came is not cancelled", async () => {
    await using host = await openHost(true);
    const [worker, channel] = await host.worker();
    const aborting = new AbortController();
    const call = worker.sendMessage(message, target, { signal: aborting.signal, timeoutMs: 10_000 });
    const { requestId } = await next(channel, "request");
    channel.send(responseFrame(requestId));
    await call;
    aborting.abort();
    expect(await sentSoFar(worker, channel)).toEqual([]);
  });
});

describe("a call to an agent here that its caller gives up", () => {
  test.each([
    ["cancelled", { name: "CancelledError", code: "cancelled" }],
    ["timed-out", { name: "TimedOutError", code: "timed-out" }],
    ["caller-gone", { name: "UndeliverableException", code: "caller-gone" }],
  ] as const)(
    "(%s) aborts its handler's signal with a reason of that code, and has no answer",
    async (reason, error) => {
      await using host = await openHost(true);
      const [worker, channel] = await host.worker();
      const begun = new Gate();
      const told = new Gate<unknown>();
      await serve(worker, async (_message, context) => {
        begun.open();
        told.open(await abortOf(context));
        return Reply({ content: "too late" });
      });
      channel.send(requestFrame("a/k"));
      await begun.opened;
      channel.send({ kind: "cancel", requestId: "h1", reason });
      expect(await told.opened).toMatchObject(error);
      expect(await sentSoFar(worker, channel)).toEqual([]);
      expect(worker.counters()).toMatchObject({ abandonedCalls: 1, unsentAnswers: 0 });
    },
  );

  test("while its agent is being made begins with a signal that has aborted", async () => {
    await using host = await openHost(true);
    const [worker, channel] = await host.worker();
    const begun = new Gate();
    const made = new Gate();
    const told = new Gate<unknown>();
    worker.addMessageSerializer(MyMessage);
    await worker.registerFactory("a", async () => {
      begun.open();
      await made.opened;
      return new FunctionAgent((_message, { signal }) => told.open(signal.aborted && signal.reason));
    });
    channel.send(requestFrame("a/k"));
    await begun.opened;
    channel.send({ kind: "cancel", requestId: "h1", reason: "cancelled" });
    // The next frame is read after the cancel.
    expect(await sentSoFar(worker, channel)).toEqual([]);
    made.open();
    expect(await told.opened).toMatchObject({ code: "cancelled" });
  });

  test("of a reminder that is cancelled while its agent is being made reaches no handler", async () => {
    await using host = await openHost(true);
    const [worker, channel] = await host.worker();
    const [begun, made] = [new Gate(), new Gate()];
    const ids: string[] = [];
    worker.addMessageSerializer(MyMessage);
    await worker.registerFactory("a", async () => {
      begun.open();
      await made.opened;
      return new FunctionAgent((_message, { messageId }) => void ids.push(messageId));
    });
    const metadata = { agdelivery: "durable", agidempotency: "r:tea@1000", agreminder: "tea;1000;1;0", agattempt: "1" };
    channel.send(requestFrame("a/k", { requestId: "h1", metadata }));
    channel.send(requestFrame("a/k", { requestId: "h2" }));
    await begun.opened;
    channel.send({ kind: "cancel", requestId: "h1", reason: "withdrawn" });
    await sentSoFar(worker, channel);
    made.open();
    expect(await next(channel, "response")).toMatchObject({ requestId: "h2" });
    expect(ids).toEqual(["h2"]);
    await worker.stop();
  });

  test("after it was answered, or under an id that is not known, changes nothing", async () => {
    await using host = await openHost(true);
    const [worker, channel] = await host.worker();
    const signals: AbortSignal[] = [];
    await serve(worker, (_message, { signal }) => {
      signals.push(signal);
      return Reply({ content: "done" });
    });
    channel.send(requestFrame("a/k"));
    expect(await next(channel, "response")).toMatchObject({ requestId: "h1", error: "" });
    for (const requestId of ["h1", "h2", ""]) channel.send({ kind: "cancel", requestId, reason: "cancelled" });
    expect(await sentSoFar(worker, channel)).toEqual([]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    expect(worker.counters()).toMatchObject({ abandonedCalls: 0 });
  });

  test("by the end of its time is told so without a word of the host, and its own calls have what is left", async () => {
    await using host = await openHost(false);
    const clock = new ManualClock();
    const [worker, channel] = await host.worker({ clock });
    const told = new Gate<unknown>();
    await serve(worker, async (_message, context, agent) => {
      const { signal } = context;
      const ends = agent.runtime.sendMessage(message, new AgentId("b", "k"), { signal }).catch((error) => error);
      told.open([await abortOf(context), await ends]);
    });
    clock.advance(1_000);
    channel.send(requestFrame("a/k", { metadata: { agtimeoutms: "100" } }));
    const nested = await next(channel, "request");
    expect(nested.metadata.agtimeoutms).toBe("100");
    clock.advance(100);
    expect(await told.opened).toMatchObject([{ code: "timed-out" }, { code: "timed-out" }]);
  });

  test("by the loss of the host aborts its handler as caller-gone", async () => {
    await using host = await openHost(true);
    const [worker, channel] = await host.worker();
    const begun = new Gate();
    const told = new Gate<unknown>();
    await serve(worker, async (_message, context) => {
      begun.open();
      told.open(await abortOf(context));
    });
    channel.send(requestFrame("a/k"));
    await begun.opened;
    host.network.cut();
    expect(await told.opened).toMatchObject({ code: "caller-gone" });
  });
});

describe("the failures that this worker answers with", () => {
  async function failWith(thrown: unknown, options?: WorkerOptions, isTroupe = false) {
    await using host = await openHost(isTroupe);
    const [worker, channel] = await host.worker(options);
    await serve(worker, () => {
      throw thrown;
    });
    channel.send(requestFrame("a/k"));
    return await next(channel, "response");
  }

  test("name their code, and their stack only where the worker is told to", async () => {
    const thrown = new RangeError("out of range");
    expect((await failWith(thrown)).metadata).toEqual({ agerrortype: "HandlerError", agerrorcode: "handler-failed" });
    const { metadata } = await failWith(thrown, { sendsStacks: true });
    expect(metadata.agerrorstack).toBe(thrown.stack);
  });

  test("tell what was thrown only to a host that has announced itself", async () => {
    const thrown = Object.assign(new RangeError("out of range"), { status: 429 });
    expect((await failWith(thrown)).metadata).not.toHaveProperty("agerrordetail");
    const { metadata } = await failWith(thrown, {}, true);
    expect(JSON.parse(metadata.agerrordetail ?? "")).toEqual({
      name: "RangeError",
      detail: { status: 429 },
      causes: [],
    });
  });

  test("tell nothing of what was thrown if that would be too long to be sent", async () => {
    const thrown = Object.assign(new RangeError("out of range"), { a: "x".repeat(1_000), b: "x".repeat(1_000) });
    const { error, metadata } = await failWith(thrown, { maxMessageBytes: 1_000 }, true);
    expect(error).toBe("out of range");
    expect(metadata).toEqual({ agerrortype: "HandlerError", agerrorcode: "handler-failed" });
  });

  test("are replaced by a short one where they are too long to be sent", async () => {
    const { error, metadata } = await failWith(new Error("x".repeat(5_000)), { maxMessageBytes: 2_000 });
    expect(error).toContain("bytes");
    expect(metadata.agerrorcode).toBe("message-too-large");
  });
});

describe.each<Transport>(["memory", "gRPC"])("between two workers over %s", (transport) => {
  /** A worker whose agent `a` tells why it was aborted. */
  async function openScene(options: Parameters<typeof startRig>[1] = {}) {
    const rig = await startRig(transport, options);
    const callee = await rig.worker();
    const begun = new Gate();
    const told = new Gate<unknown>();
    await serve(callee, async (_message, context) => {
      begun.open();
      told.open(await abortOf(context));
    });
    return { rig, begun, told, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() };
  }

  test("a caller that stops leaves its targets with the reason caller-gone", async () => {
    await using scene = await openScene();
    const caller = await scene.rig.worker();
    const call = expect(caller.sendMessage(message, target)).rejects.toMatchObject({ code: "shutting-down" });
    await scene.begun.opened;
    await caller.stop();
    await call;
    expect(await scene.told.opened).toMatchObject({ code: "caller-gone" });
  });

  test("a call whose time is up at the host ends at both ends", async () => {
    await using scene = await openScene({ callTimeoutMs: 40 });
    const caller = await scene.rig.worker();
    await expect(caller.sendMessage(message, target)).rejects.toMatchObject({ code: "timed-out" });
    expect(await scene.told.opened).toMatchObject({ code: "timed-out" });
    expect(scene.rig.host.counters()).toMatchObject({ pendingCalls: 0, timedOutCalls: 1 });
  });

  test("a failure comes back with class, code, text, and the stack that the target sends", async () => {
    await using rig = await startRig(transport);
    const callee = await rig.worker({ sendsStacks: true });
    const caller = await rig.worker();
    await serve(callee, () => {
      throw new RpcError(5, "not there");
    });
    const failed = await caller.sendMessage(message, target).catch((error: unknown) => error);
    expect(failed).toMatchObject({ name: "HandlerError", code: "handler-failed" });
    expect(failed).toHaveProperty("remoteStack", expect.stringContaining("giving-up.test.ts"));
  });

  test("what the host answers itself has its code", async () => {
    await using rig = await startRig(transport);
    const caller = await rig.worker();
    await expect(caller.sendMessage(message, new AgentId("nobody", "k"))).rejects.toMatchObject({
      name: "UndeliverableException",
      code: "undeliverable",
    });
    await using scene = await openScene();
    const asking = await scene.rig.worker();
    const call = expect(asking.sendMessage(message, target)).rejects.toMatchObject({ code: "shutting-down" });
    await scene.begun.opened;
    await scene.rig.host.stop({ graceMs: 0 });
    await call;
  });
});
