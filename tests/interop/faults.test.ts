import { AgentId, UndeliverableException } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { startFaultProxy } from "troupe/testing";
import { describe, expect, test } from "vitest";
import { startHostProgram, untilCounters } from "../e2e/faults/support/remote-program.ts";
import { fact, spread } from "../support/load/facts.ts";
import { generations } from "./support/generations.ts";
import { MyMessage } from "./support/messages.ts";
import type { MessageToSend } from "./support/peer-protocol.ts";
import { callFrom, startPythonWorker } from "./support/python-peers.ts";
import { TypeScriptWorker } from "./support/typescript-worker.ts";

const hello: MessageToSend = { type: "MyMessage", message: { content: "hello" } };
const inFlight = 100;

/** The goal of every story of a kill: each caller in flight has its outcome at the latest after so long. */
const latestMs = 1_000;

/** Processes that are killed and networks that break, with a Python worker among those who suffer. */
for (const generation of generations.filter(({ number }) => number === 3)) {
  describe.skipIf(generation.skipReason)(`Python's worker, ${generation.title}`, () => {
    test("killed with calls in flight: each of its callers has an outcome at once, and its types are free", async () => {
      await using host = await startHostProgram();
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
      expect(Math.max(...endedMs) - killedMs).toBeLessThan(latestMs);
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
