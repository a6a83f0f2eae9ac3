import { describe, expect, test } from "vitest";
import { AgentId, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import { startFaultProxy } from "../../../src/testing/index.ts";
import { RpcError, StatusCode } from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { eventFrame, next, requestFrame, responseFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage, Reply } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";
import { startRig, type Transport } from "../../support/worker/worker-rig.ts";

const message = MyMessage({ content: "q" });
const target = new AgentId("b", "k");

describe("starting", () => {
  test("again, after a stop ended a start that never found its host, has nothing of the first", async () => {
    await using rig = await startRig("gRPC");
    await using proxy = await startFaultProxy({ target: rig.host.address });
    proxy.apply({ kind: "stall" });
    const { dialer, logger } = rig;
    await using worker = new WorkerRuntime({ dialer, logger, address: proxy.address });
    const first = worker.start().catch((error: unknown) => error);
    await proxy.accepted(1);
    await worker.stop();
    proxy.heal();
    const again = worker.start();
    expect(await first).toBeInstanceOf(Error);
    await again;
    for (const type of [MyMessage, Reply]) worker.addMessageSerializer(type);
    await worker.registerFactory("b", () => new FunctionAgent(() => Reply({ content: "a" })));
    expect(await worker.sendMessage(message, target)).toMatchObject({ content: "a" });
    await worker.stop();
  });

  test("twice is refused with Python's text", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker] = await host.worker();
    await expect(worker.start()).rejects.toMatchObject({ code: "wrong-state", message: "Runtime is already running." });
  });

  test("is needed before anything is sent or published, or stopped", async () => {
    await using host = await new ScriptedHost().listen();
    const worker = host.newWorker();
    await expect(worker.sendMessage(message, target)).rejects.toThrow("Runtime must be running when sending message.");
    await expect(worker.publishMessage(message, new TopicId("t", "s"))).rejects.toThrow(
      "Runtime must be running when publishing message.",
    );
    await expect(worker.stop()).rejects.toThrow("Runtime is not running.");
  });

  test.each<Transport>(["memory", "gRPC"])(
    "where no host is rejects with a clear error, over %s [§8.105]",
    async (transport) => {
      const rig = await startRig(transport);
      const worker = rig.newWorker();
      await rig.host.stop({ graceMs: 0 });
      await expect(worker.start()).rejects.toMatchObject({ code: "disconnected" });
      await expect(worker.start()).rejects.toThrow(rig.host.address);
      await rig[Symbol.asyncDispose]();
    },
  );

  test("at a host that refuses the channel rejects with what it says", async () => {
    await using host = await new ScriptedHost().listen();
    const worker = host.newWorker();
    host.script = () => {
      throw new RpcError(StatusCode.unauthenticated, "who are you?");
    };
    await worker.registerFactory("a", () => new FunctionAgent());
    await expect(worker.start()).rejects.toThrow("who are you?");
  });

  test("again after a stop works, under a new client id", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, first] = await host.worker();
    await worker.registerFactory("a", () => new FunctionAgent());
    await worker.stop();
    await worker.start();
    const second = await host.channels.take();
    expect(second.clientId).not.toBe(first.clientId);
    expect(host.methods).toEqual(["RegisterAgent", "RegisterAgent"]);
    worker.addMessageSerializer(MyMessage);
    second.send(requestFrame("a/k"));
    await next(second, "response");
  });

  test.each<[string, (worker: WorkerRuntime) => Promise<void>]>([
    ["disposed of", (worker) => worker[Symbol.asyncDispose]()],
    ["stopped", (worker) => worker.stop()],
    ["stopped twice", (worker) => worker.stop().then(() => worker.stop())],
  ])("that fails leaves agents of its first messages, which end when the worker is %s", async (_how, end) => {
    const [answered, asked] = [new Gate(), new Gate()];
    await using host = await new ScriptedHost(async () => {
      asked.open();
      await answered.opened;
      throw new RpcError(StatusCode.permissionDenied, "not here");
    }).listen();
    const worker = host.newWorker();
    worker.addMessageSerializer(MyMessage);
    const ended: string[] = [];
    class Closing extends FunctionAgent {
      override close(): void {
        ended.push(String(this.id));
      }
    }
    await worker.registerFactory("a", () => new Closing());
    const started = worker.start();
    started.catch(() => undefined);
    const channel = await host.channels.take();
    await asked.opened;
    channel.send(requestFrame("a/k"));
    await next(channel, "response");
    answered.open();
    await expect(started).rejects.toThrow("not here");
    await end(worker);
    expect(ended).toEqual(["a/k"]);
  });

  test("again after a stop is another worker to its hosts, of the same name", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, first] = await host.worker({ name: "tea room" });
    await worker.stop();
    await worker.start();
    const second = await host.channels.take();
    expect(second.metadata.agworker).not.toBe(first.metadata.agworker);
    expect([first, second].map(({ metadata }) => metadata.agname)).toEqual(["tea%20room", "tea%20room"]);
  });

  test("again after an operator's drain, without shared types, goes on", async () => {
    await using rig = await startRig("memory");
    const worker = await rig.worker();
    await worker.registerFactory("a", () => new FunctionAgent());
    const [first] = (await rig.host.inspect()).workers;
    await rig.host.drainWorker(first?.workerId ?? "");
    expect(await worker.closed).toEqual({ by: "drained" });
    await worker.start();
    const [second] = (await rig.host.inspect()).workers;
    expect(second).toMatchObject({ types: ["a"], isDraining: false });
  });

  test("lets handlers send as soon as the first message comes, even before all is registered", async () => {
    const registering = new Gate();
    await using host = await new ScriptedHost().listen();
    const worker = host.newWorker();
    worker.addMessageSerializer(MyMessage);
    await worker.registerFactory(
      "a",
      () => new FunctionAgent((_message, _context, agent) => agent.runtime.sendMessage(message, target)),
    );
    host.script = () => {
      registering.open();
      return new Uint8Array(0);
    };
    const started = worker.start();
    const channel = await host.channels.take();
    channel.send(requestFrame("a/k", { requestId: "h7" }));
    await registering.opened;
    const nested = await next(channel, "request");
    channel.send(responseFrame(nested.requestId));
    expect(await next(channel, "response")).toMatchObject({ requestId: "h7", error: "" });
    await started;
  });
});

describe("stopping", () => {
  test.each<Transport>(["memory", "gRPC"])(
    "after 200 publishes delivers all of them, over %s [§8.98]",
    async (transport) => {
      await using rig = await startRig(transport);
      const reader = await rig.worker();
      const all = new Gate();
      let count = 0;
      reader.addMessageSerializer(MyMessage);
      await reader.registerFactory(
        "reader",
        () =>
          new FunctionAgent(() => {
            if (++count === 200) all.open();
          }),
      );
      await reader.addSubscription(new TypeSubscription("t", "reader"));
      const writer = await rig.worker();
      for (let event = 0; event < 200; event += 1) void writer.publishMessage(message, new TopicId("t", "s"));
      await writer.stop();
      await all.opened;
      expect(count).toBe(200);
    },
  );

  test("lets a running handler finish, its own calls included [§8.99]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker({ drainTimeoutMs: 10_000 });
    worker.addMessageSerializer([MyMessage, Reply]);
    await worker.registerFactory(
      "a",
      () =>
        new FunctionAgent(async (_message, _context, agent) => {
          await agent.runtime.sendMessage(message, target, { sender: agent.id });
          return Reply({ content: "done" });
        }),
    );
    channel.send(requestFrame("a/k", { requestId: "h1" }));
    const nested = await next(channel, "request");
    const stopped = worker.stop();
    channel.send(requestFrame("a/other", { requestId: "h2" }));
    expect(await next(channel, "response")).toMatchObject({
      requestId: "h2",
      error: "The worker is shutting down.",
      metadata: { agerrortype: "UndeliverableException" },
    });
    channel.send(responseFrame(nested.requestId));
    expect(await next(channel, "response")).toMatchObject({ requestId: "h1", error: "" });
    await stopped;
  });

  test("answers for a handler that does not end in time, and tells it [§8.99]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker({ drainTimeoutMs: 20 });
    const told = new Gate<unknown>();
    const running = new Gate();
    worker.addMessageSerializer(MyMessage);
    await worker.registerFactory(
      "a",
      () =>
        new FunctionAgent((_message, context) => {
          context.signal.addEventListener("abort", () => told.open(context.signal.reason));
          running.open();
          return new Promise(() => {});
        }),
    );
    channel.send(requestFrame("a/k"));
    await running.opened;
    const stopped = worker.stop();
    expect((await next(channel, "response")).error).toBe("The worker is shutting down.");
    expect(await told.opened).toMatchObject({ code: "shutting-down" });
    await stopped;
  });

  test("rejects the calls that wait, and drops events that still come", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker({ drainTimeoutMs: 50 });
    worker.addMessageSerializer(MyMessage);
    await worker.registerFactory("a", () => new FunctionAgent(() => new Promise(() => {})));
    await worker.addSubscription(new TypeSubscription("t", "a"));
    channel.send(eventFrame("t/k"));
    const outcome = expect(worker.sendMessage(message, target)).rejects.toMatchObject({ code: "shutting-down" });
    await next(channel, "request");
    const stopped = worker.stop();
    channel.send(eventFrame("t/k"));
    await outcome;
    await stopped;
    expect(worker.counters().eventsAfterStop).toBe(1);
  });

  test("half-closes first and cancels when the host does not end the channel", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const stopped = worker.stop();
    await channel.halfClosed;
    await stopped;
    expect((await channel.ended).by).not.toBe("status");
    expect(await worker.closed).toEqual({ by: "stopped" });
  });

  test("does not wait when the host ends the channel", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker({ halfCloseWaitMs: 600_000 });
    const stopped = worker.stop();
    await channel.halfClosed;
    channel.stream.finish({ code: StatusCode.ok, details: "" });
    await stopped;
  });

  test("closes each agent once, and frees the worker's place at the host [§8.100]", async () => {
    await using rig = await startRig();
    const worker = await rig.worker();
    const agents: FunctionAgent[] = [];
    const make = () => {
      const agent = new FunctionAgent();
      agents.push(agent);
      return agent;
    };
    await worker.registerFactory("a", make);
    for (const key of ["1", "2"]) await worker.get("a", key, { lazy: false });
    await Promise.all([worker.stop(), worker.stop()]);
    await worker.stop();
    expect(agents.map((agent) => agent.closedTimes)).toEqual([1, 1]);
    const other = await rig.worker();
    await other.registerFactory("a", make);
  });

  test("an agent that fails to close is logged, and the stop succeeds", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker] = await host.worker();
    const agent = new FunctionAgent();
    agent.close = () => {
      throw new Error("stuck door");
    };
    await worker.registerAgentInstance(agent, new AgentId("a", "k"));
    await worker.stop();
    expect(host.logger.texts("error").join()).toContain("stuck door");
  });

  test.each<Transport>(["memory", "gRPC"])("after the host has died resolves, over %s [§8.104]", async (transport) => {
    const rig = await startRig(transport);
    const worker = await rig.worker({ reconnect: false });
    await rig.host.stop({ graceMs: 0 });
    expect(await worker.closed).toMatchObject({ by: "lost" });
    await expect(worker.publishMessage(message, new TopicId("t", "s"))).rejects.toMatchObject({ code: "disconnected" });
    await expect(worker.registerFactory("a", () => new FunctionAgent())).rejects.toMatchObject({
      code: "disconnected",
    });
    await worker.stop();
    await worker.stop();
    await rig[Symbol.asyncDispose]();
  });

  test("at a signal leaves no listener behind", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker] = await host.worker();
    const before = process.listenerCount("SIGUSR2");
    const stopped = worker.stopWhenSignal({ signals: ["SIGUSR2"] });
    expect(process.listenerCount("SIGUSR2")).toBe(before + 1);
    process.kill(process.pid, "SIGUSR2");
    await stopped;
    expect(process.listenerCount("SIGUSR2")).toBe(before);
    expect(worker.isRunning).toBe(false);
  });

  test("when a signal was awaited and the host is lost instead comes about as well", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker] = await host.worker({ reconnect: false });
    const stopped = worker.stopWhenSignal({ signals: ["SIGUSR2"] });
    host.network.cut();
    await stopped;
    expect(worker.isRunning).toBe(false);
  });
});
