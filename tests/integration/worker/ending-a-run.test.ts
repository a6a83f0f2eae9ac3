import { describe, expect, test } from "vitest";
import { AgentId, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import type { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { next, requestFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage, Reply } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";
import { openStage, settled } from "../../support/worker/stage.ts";
import { startRig, type Transport } from "../../support/worker/worker-rig.ts";

const message = MyMessage({ content: "q" });
const target = new AgentId("a", "k");

function knows(worker: WorkerRuntime): WorkerRuntime {
  worker.addMessageSerializer([MyMessage, Reply]);
  return worker;
}

describe("a stop whose signal aborts while a handler runs", () => {
  test.each<Transport>(["memory", "gRPC"])(
    "tells the caller that the worker shuts down, and logs nothing about agents that have ended, over %s",
    async (transport) => {
      await using rig = await startRig(transport);
      const callee = knows(await rig.worker({ drainTimeoutMs: 60_000 }));
      const caller = knows(await rig.worker());
      const running = new Gate();
      const agent = new FunctionAgent(() => {
        running.open();
        return new Promise(() => {});
      });
      await callee.registerFactory("a", () => agent);
      const call = caller.sendMessage(message, target);
      const end = expect(call).rejects.toMatchObject({
        code: "shutting-down",
        message: expect.stringContaining("may have been handled"),
      });
      await running.opened;
      const hurrying = new AbortController();
      const stopped = callee.stop({ signal: hurrying.signal });
      hurrying.abort();
      await stopped;
      await end;
      expect(agent.closedTimes).toBe(1);
      expect(rig.logger.texts("error").join()).not.toContain("had not ended");
    },
  );
});

describe("a run", () => {
  test("does not reach into the next: a factory that ends later closes its own agent, and no agent of the next run", async () => {
    await using rig = await startRig();
    const worker = knows(await rig.worker({ drainTimeoutMs: 20 }));
    const caller = knows(await rig.worker());
    const making = new Gate();
    const release = new Gate();
    const lateClosed = new Gate();
    const late = Object.assign(new FunctionAgent(), { close: () => lateClosed.open() });
    const counters: FunctionAgent[] = [];
    const createCounter = () => {
      let count = 0;
      const agent = new FunctionAgent(() => Reply({ content: String(++count) }));
      counters.push(agent);
      return agent;
    };
    let attempts = 0;
    await worker.registerFactory("counter", createCounter);
    await worker.registerFactory("slow", async () => {
      attempts += 1;
      if (attempts > 1) return createCounter();
      making.open();
      await release.opened;
      return late;
    });
    const slow = new AgentId("slow", "k");
    caller.sendMessage(message, slow).catch(() => undefined);
    await making.opened;
    const hurrying = new AbortController();
    const stopped = worker.stop({ signal: hurrying.signal });
    hurrying.abort();
    await stopped;
    expect(rig.logger.texts("error").join()).toContain("had not ended when the worker stopped: slow/k (being made)");
    await worker.start();
    const single = new AgentId("single", "one");
    await worker.registerAgentInstance(createCounter(), single);
    const ids = [new AgentId("counter", "k"), single, slow];
    const ask = async () => (await Promise.all(ids.map((id) => caller.sendMessage(message, id)))).map(contentOf);
    expect(await ask()).toEqual(["1", "1", "1"]);
    release.open();
    await lateClosed.opened;
    await settled();
    expect(await ask()).toEqual(["2", "2", "2"]);
    expect(counters.map(({ closedTimes }) => closedTimes)).toEqual([0, 0, 0]);
    await worker.stop();
    expect(counters.map(({ closedTimes }) => closedTimes)).toEqual([1, 1, 1]);
  });
});

describe("a handler that never ends", () => {
  test.each(["call", "event"] as const)(
    "for a %s holds no slot in the next run, and does not hold up its stop",
    async (kind) => {
      await using rig = await startRig();
      const worker = knows(await rig.worker({ drainTimeoutMs: 600_000, maxConcurrentHandlers: 1 }));
      const caller = knows(await rig.worker());
      const running = new Gate();
      const handle = (_message: unknown, _context: unknown, { id }: FunctionAgent) => {
        if (id.key === "live") return Reply({ content: "live" });
        running.open();
        return new Promise(() => {});
      };
      await worker.registerFactory("a", () => new FunctionAgent(handle), {
        subscriptions: [new TypeSubscription("t", "a")],
      });
      if (kind === "call") caller.sendMessage(message, new AgentId("a", "hung")).catch(() => undefined);
      else await caller.publishMessage(message, new TopicId("t", "hung"));
      await running.opened;
      await worker.stop({ signal: AbortSignal.abort() });
      expect(worker.handlers).toEqual({ running: 0, parked: 0 });
      await worker.start();
      expect(await caller.sendMessage(message, new AgentId("a", "live"))).toMatchObject({ content: "live" });
      await worker.stop();
    },
  );

  test("ends later without a slot to give back: the next run keeps its limit", async () => {
    await using rig = await startRig();
    const worker = knows(await rig.worker({ drainTimeoutMs: 600_000, maxConcurrentHandlers: 1 }));
    const caller = knows(await rig.worker());
    const [first, second] = [new Gate<(value: unknown) => void>(), new Gate<(value: unknown) => void>()];
    const handle = (_message: unknown, _context: unknown, { id }: FunctionAgent) =>
      new Promise((resolve) => (id.key === "first" ? first : second).open(resolve));
    await worker.registerFactory("a", () => new FunctionAgent(handle));
    caller.sendMessage(message, new AgentId("a", "first")).catch(() => undefined);
    const endFirst = await first.opened;
    await worker.stop({ signal: AbortSignal.abort() });
    await worker.start();
    const call = caller.sendMessage(message, new AgentId("a", "second"));
    const endSecond = await second.opened;
    endFirst(Reply({ content: "late" }));
    await settled();
    expect(worker.handlers).toEqual({ running: 1, parked: 0 });
    endSecond(Reply({ content: "second" }));
    expect(await call).toMatchObject({ content: "second" });
  });
});

describe("a stop that takes its time", () => {
  test("says after a second what it waits for, and rarely after that", async () => {
    await using stage = await openStage({ drainTimeoutMs: 100_000 });
    const { host, clock, worker } = stage;
    await knows(worker).registerFactory("a", () => new FunctionAgent(() => new Promise(() => {})));
    await worker.start();
    const channel = await host.channels.take();
    for (const key of ["x", "y"]) channel.send(requestFrame(`a/${key}`, { requestId: key }));
    await settled();
    const stopped = worker.stop();
    const said = () => host.logger.texts("info").filter((text) => text.includes("It waits for"));
    clock.advance(999);
    expect(said()).toEqual([]);
    clock.advance(1);
    expect(said()).toEqual(["The worker stops. It waits for 2 handlers: a/x, a/y."]);
    clock.advance(29_999);
    expect(said()).toHaveLength(1);
    clock.advance(1);
    expect(said()).toHaveLength(2);
    clock.advance(100_000);
    await stopped;
    expect(clock.pendingTimers).toBe(0);
  });

  test("names the agents whose factory or close it waits for, and is silent when it waits for nothing", async () => {
    await using stage = await openStage({ drainTimeoutMs: 0 });
    const { host, clock, worker } = stage;
    const close = () => new Promise<void>(() => {});
    await knows(worker).registerAgentInstance(Object.assign(new FunctionAgent(), { close }), target);
    await worker.start();
    await host.channels.take();
    const stopped = worker.stop();
    for (let second = 0; second < 6; second += 1) {
      await settled();
      clock.advance(1_000);
    }
    await stopped;
    expect(host.logger.texts("info").join()).toContain("It waits for 1 agent: a/k (being closed).");
    expect(host.logger.texts("error").join()).toContain("had not ended when the worker stopped: a/k (being closed)");
  });
});

describe("a handler's `finally` block in a drain", () => {
  test("may call and publish while the worker still waits for the handler", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker({ drainTimeoutMs: 60_000 });
    const release = new Gate();
    const running = new Gate();
    const close = new Gate();
    const agent = new FunctionAgent(async (_message, _context, { id, runtime }) => {
      try {
        running.open();
        await release.opened;
        return Reply({ content: "done" });
      } finally {
        await runtime.publishMessage(message, new TopicId("t", "s"), { sender: id });
        await runtime.sendMessage(message, new AgentId("b", "k"), { sender: id });
        close.open();
      }
    });
    await knows(worker).registerFactory("a", () => agent);
    channel.send(requestFrame("a/k", { requestId: "h1" }));
    await running.opened;
    const stopped = worker.stop();
    release.open();
    await next(channel, "event");
    const nested = await next(channel, "request");
    expect(agent.closedTimes).toBe(0);
    channel.send({ kind: "response", requestId: nested.requestId, payload: undefined, error: "", metadata: {} });
    await close.opened;
    expect(await next(channel, "response")).toMatchObject({ requestId: "h1", error: "" });
    await stopped;
    expect(agent.closedTimes).toBe(1);
  });

  test("runs when the drain gives the handler up; what it sends then is refused, and nothing waits for ever", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker({ drainTimeoutMs: 20 });
    const running = new Gate();
    const refused = new Gate<unknown>();
    const agent = new FunctionAgent(async (_message, { signal }, { id, runtime }): Promise<unknown> => {
      try {
        running.open();
        return await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      } finally {
        await runtime.sendMessage(message, new AgentId("b", "k"), { sender: id }).catch(refused.open);
      }
    });
    await knows(worker).registerFactory("a", () => agent);
    channel.send(requestFrame("a/k", { requestId: "h1" }));
    await running.opened;
    await worker.stop();
    expect(await refused.opened).toMatchObject({ name: "UndeliverableException", code: "shutting-down" });
    expect(await next(channel, "response")).toMatchObject({
      requestId: "h1",
      metadata: { agerrorcode: "shutting-down" },
    });
    expect(channel.received.rest).toEqual([]);
    expect(worker.pendingCallsCount).toBe(0);
    expect(agent.closedTimes).toBe(1);
  });

  test("that never ends does not keep the worker from stopping, nor the next run from its agents", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker({ drainTimeoutMs: 20 });
    const running = new Gate();
    let runs = 0;
    await knows(worker).registerFactory(
      "a",
      () =>
        new FunctionAgent(async (_message, { signal }): Promise<unknown> => {
          runs += 1;
          if (runs > 1) return Reply({ content: "next" });
          try {
            running.open();
            return await new Promise((_resolve, reject) =>
              signal.addEventListener("abort", () => reject(signal.reason)),
            );
          } finally {
            await new Promise(() => {});
          }
        }),
    );
    channel.send(requestFrame("a/k"));
    await running.opened;
    await worker.stop();
    await worker.start();
    const again = await host.channels.take();
    again.send(requestFrame("a/k", { requestId: "h2" }));
    expect(await next(again, "response")).toMatchObject({ requestId: "h2", error: "" });
  });
});

function contentOf(answer: unknown): unknown {
  return typeof answer === "object" && answer !== null && "content" in answer ? answer.content : undefined;
}
