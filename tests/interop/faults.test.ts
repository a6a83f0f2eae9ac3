import { AgentId, UndeliverableException } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { type Fault, startFaultProxy } from "troupe/testing";
import { describe, expect, test } from "vitest";
import { Caller } from "../e2e/faults/support/caller.ts";
import {
  startHostProgram,
  startWorkerProgram,
  untilCounters,
  type WorkerReport,
} from "../e2e/faults/support/remote-program.ts";
import { startTroupeHost } from "../e2e/faults/support/troupe-host.ts";
import { fact, spread } from "../support/load/facts.ts";
import { generations } from "./support/generations.ts";
import { MyMessage } from "./support/messages.ts";
import type { MessageToSend } from "./support/peer-protocol.ts";
import { callFrom, startPythonWorker } from "./support/python-peers.ts";
import { TypeScriptWorker } from "./support/typescript-worker.ts";

const hello: MessageToSend = { type: "MyMessage", message: { content: "hello" } };
const inFlight = 100;

/** Without keep-alive only the broken connection can tell a host that a worker is gone, and a caller that its host is. */
const withoutKeepAlive = { keepAliveMs: 0 };

/** Processes that are killed and networks that break, with a Python worker among those who suffer. */
for (const generation of generations.filter(({ number }) => number === 3)) {
  describe.skipIf(generation.skipReason)(`Python's worker, ${generation.title}`, () => {
    test("killed with calls in flight: each of its callers has an outcome at once, and its types are free", async () => {
      await using host = await startHostProgram({ channelOptions: { pingIntervalMs: 0 } });
      const { address } = host.ready;
      const victim = await startPythonWorker(generation, address, [{ kind: "held", type: "held" }]);
      await using _victim = victim;
      await using caller = await TypeScriptWorker.start(address, { types: [MyMessage] });
      const endedMs: number[] = [];
      const calls = Array.from({ length: inFlight }, (_, at) =>
        caller.call(`held/k${at}`, MyMessage({ content: "hold this" })).finally(() => endedMs.push(performance.now())),
      );
      const outcomes = Promise.allSettled(calls);
      for (let taken = 0; taken < inFlight; taken++) await victim.next("received");
      const killedMs = performance.now();
      await victim.kill();
      for (const outcome of await outcomes) {
        expect(outcome).toMatchObject({ status: "rejected", reason: expect.any(UndeliverableException) });
      }
      fact("kill -9 of a Python target, until each call had its outcome", spread(endedMs.map((ms) => ms - killedMs)));
      await using _heir = await startPythonWorker(generation, address, [{ kind: "echo", type: "held" }]);
      expect(await caller.callShown("held/k", MyMessage({ content: "again" }))).toMatchObject({
        message: { content: "again" },
      });
      await untilCounters(host, ({ pendingCalls }) => pendingCalls === 0);
    });

    test("gets an error for each of its calls when the worker that it calls is killed", async () => {
      await using host = await startHostProgram();
      const { address } = host.ready;
      await using python = await startPythonWorker(generation, address, [{ kind: "echo", type: "echo" }]);
      const victim = await startPythonWorker(generation, address, [{ kind: "held", type: "held" }]);
      await using _victim = victim;
      const calls = Array.from({ length: 20 }, (_, at) => callFrom(python, `held/k${at}`, hello));
      for (let taken = 0; taken < 20; taken++) await victim.next("received");
      await victim.kill();
      for (const outcome of await Promise.all(calls)) expect(outcome).toMatchObject({ event: "error" });
      expect(await callFrom(python, "echo/k", hello)).toMatchObject({ event: "answer", message: { content: "hello" } });
    });

    test("whose host is killed -9 and replaced: its calls and those to it have an outcome at once, TypeScript's workers come back, and a Python worker that is started anew is served", async () => {
      await using first = await startTroupeHost();
      await using proxy = await startFaultProxy({ target: first.address });
      const { address } = proxy;
      const python = await startPythonWorker(generation, address, [{ kind: "held", type: "held" }]);
      await using _python = python;
      await using target = await startWorkerProgram({
        address,
        echoes: ["echo"],
        readers: [{ type: "r", topic: "t" }],
      });
      await using caller = await Caller.start("caller", address, withoutKeepAlive);
      caller.runtime.addMessageSerializer(MyMessage);
      await caller.untilAnswered("echo/k");
      const calls = Array.from({ length: 20 }, (_, at) =>
        caller.runtime.sendMessage(MyMessage({ content: "hold this" }), new AgentId("held", `k${at}`)),
      );
      const outcomes = Promise.allSettled(calls);
      for (let taken = 0; taken < 20; taken++) await python.next("received");
      const news = caller.publish("t");
      await target.tell("arrived", 50);

      await first.program.stop("SIGKILL");
      for (const outcome of await outcomes) {
        expect(outcome).toMatchObject({ status: "rejected", reason: { code: "disconnected" } });
      }

      await using second = await startTroupeHost();
      proxy.retarget(second.address);
      await caller.untilAnswered("echo/k");
      const { events } = await target.tell<WorkerReport>("report");
      await target.tell("arrived", events + 50);
      await news.stop();
      expect(await target.tell<WorkerReport>("report")).toMatchObject({ wrongEvents: [] });
      await using _anew = await startPythonWorker(generation, address, [{ kind: "echo", type: "held" }]);
      const again = await caller.runtime.sendMessage(MyMessage({ content: "again" }), new AgentId("held", "k"));
      expect(again).toMatchObject({ content: "again" });
    });

    test.each<[string, Fault]>([
      ["half-closed towards the host", { kind: "half-close", in: "to-target" }],
      ["half-closed towards it", { kind: "half-close", in: "to-client" }],
      ["swallowed by a black hole", { kind: "drop" }],
    ])(
      "whose connection is %s is noticed: its callers have an outcome, and its types are free",
      async (_how, fault) => {
        const channelOptions = { pingIntervalMs: 200, pingTimeoutMs: 300 };
        await using host = await startHostProgram({ channelOptions });
        await using proxy = await startFaultProxy({ target: host.ready.address });
        const victim = await startPythonWorker(generation, proxy.address, [{ kind: "held", type: "held" }]);
        await using _victim = victim;
        await using caller = await TypeScriptWorker.start(host.ready.address, { types: [MyMessage] });
        const calls = Array.from({ length: 20 }, (_, at) =>
          caller.call(`held/k${at}`, MyMessage({ content: "hold this" })),
        );
        const outcomes = Promise.allSettled(calls);
        for (let taken = 0; taken < 20; taken++) await victim.next("received");
        proxy.apply(fault);
        for (const outcome of await outcomes) {
          expect(outcome).toMatchObject({ status: "rejected", reason: expect.any(UndeliverableException) });
        }
        await using _heir = await startPythonWorker(generation, host.ready.address, [{ kind: "echo", type: "held" }]);
        expect(await caller.callShown("held/k", MyMessage({ content: "again" }))).toMatchObject({
          message: { content: "again" },
        });
      },
    );

    test("behind a slow, jittery, stalling line answers every call, each with its own answer", async () => {
      await using host = await startHostProgram();
      await using proxy = await startFaultProxy({ target: host.ready.address });
      await using _python = await startPythonWorker(generation, proxy.address, [{ kind: "echo", type: "echo" }]);
      await using caller = new GrpcWorkerAgentRuntime(host.ready.address);
      caller.addMessageSerializer(MyMessage);
      await caller.start();
      const call = async (content: string) =>
        expect(await caller.sendMessage(MyMessage({ content }), new AgentId("echo", "k"))).toMatchObject({ content });
      await call("before");
      proxy.apply({ kind: "delay", delayMs: 10, jitterMs: 20, forMs: 300 });
      proxy.apply({ kind: "throttle", bytesPerSecond: 100_000, forMs: 600 });
      const slow = Array.from({ length: 200 }, (_, at) => call(`slow ${at}`));
      await proxy.faulted("throttle");
      proxy.apply({ kind: "stall", forMs: 200 });
      await Promise.all(slow);
      await call("after");
    });

    test("whose connection is reset costs its callers an error each, and the one that is started next takes its place", async () => {
      await using host = await startHostProgram();
      await using proxy = await startFaultProxy({ target: host.ready.address });
      const victim = await startPythonWorker(generation, proxy.address, [{ kind: "held", type: "held" }]);
      await using _victim = victim;
      await using caller = await TypeScriptWorker.start(host.ready.address, { types: [MyMessage] });
      const calls = Array.from({ length: 20 }, (_, at) =>
        caller.call(`held/k${at}`, MyMessage({ content: "hold this" })),
      );
      const outcomes = Promise.allSettled(calls);
      for (let taken = 0; taken < 20; taken++) await victim.next("received");
      proxy.apply({ kind: "reset" });
      for (const outcome of await outcomes) {
        expect(outcome).toMatchObject({ status: "rejected", reason: expect.any(UndeliverableException) });
      }
      await using _heir = await startPythonWorker(generation, proxy.address, [{ kind: "echo", type: "held" }]);
      expect(await caller.callShown("held/k", MyMessage({ content: "again" }))).toMatchObject({
        message: { content: "again" },
      });
    });
  });
}
