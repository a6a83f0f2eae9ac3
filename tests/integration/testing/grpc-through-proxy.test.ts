import { AgentId, TroupeError } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { type Fault, type FaultDirection, type FaultStep, startFaultProxy } from "troupe/testing";
import { describe, expect, test } from "vitest";
import { Echo } from "../../support/load/agents.ts";
import { CallLedger } from "../../support/load/call-ledger.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const echo = new AgentId("echo", "k");

describe("gRPC through a fault proxy", () => {
  test("works as without it while nothing is broken", async () => {
    const { report, bytes } = await callsThrough([]);
    expect(report).toEqual({ started: 50, open: 0, answered: 50, failed: {}, wrong: [] });
    for (const direction of [bytes.bytesToTarget, bytes.bytesToClient]) expect(direction).toBeGreaterThan(5_000);
  });

  test.each<[string, Fault]>([
    ["a close", { kind: "close" }],
    ["a reset", { kind: "reset" }],
    ["a half-close of what the host sends", { kind: "half-close", in: "to-client" }],
    ["a half-close of what the worker sends", { kind: "half-close", in: "to-target" }],
  ])(
    "%s after any number of bytes leaves each call one outcome, and the host as it was",
    { timeout: 60_000 },
    async (_name, fault) => {
      await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { registrationOrphanMs: 500 });
      await host.start();
      for (const of of ["to-target", "to-client"] satisfies FaultDirection[]) {
        for (let afterBytes = 1; afterBytes < 10_000; afterBytes = Math.ceil(afterBytes * 1.7)) {
          const { report } = await callsThrough([{ fault, connection: 0, afterBytes, of }], host);
          expect(report, `${of} after ${afterBytes}`).toMatchObject({ open: 0, wrong: [] });
        }
      }
      await vacated(host);
    },
  );

  test("bytes that arrive one by one are read like any others", async () => {
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
    await host.start();
    const drip = (afterBytes: number): FaultStep => ({
      fault: { kind: "delay", delayMs: 0 },
      afterBytes,
      of: "to-client",
    });
    const { report } = await callsThrough(
      Array.from({ length: 4_000 }, (_, at) => drip(at + 1)),
      host,
    );
    expect(report).toEqual({ started: 50, open: 0, answered: 50, failed: {}, wrong: [] });
  });
});

/** A worker behind a proxy calls its own agent by way of the host. What became of the calls; none if it could not start. */
async function callsThrough(script: readonly FaultStep[], given?: GrpcWorkerAgentRuntimeHost) {
  const host = given ?? new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
  if (given === undefined) await host.start();
  const proxy = await startFaultProxy({ target: host.address, script });
  const logger = new RecordingLogger();
  const worker = new GrpcWorkerAgentRuntime(proxy.address, { logger, startTimeoutMs: 2_000, drainTimeoutMs: 200 });
  const ledger = new CallLedger("through the proxy");
  try {
    await worker.start();
    await Echo.register(worker, "echo", () => new Echo());
    const text = "x".repeat(100);
    await Promise.all(Array.from({ length: 50 }, () => ledger.call(worker, echo, { text, timeoutMs: 5_000 })));
  } catch (error) {
    expect(error).toBeInstanceOf(TroupeError);
  }
  await worker[Symbol.asyncDispose]();
  const bytes = proxy.counters();
  await proxy.close();
  if (given === undefined) await host.stop();
  return { report: ledger.report(), bytes };
}

/** Waits until the host has forgotten everybody; the test's own time limit is the end. */
async function vacated(host: GrpcWorkerAgentRuntimeHost): Promise<void> {
  for (;;) {
    const { channels, controlChannels, pendingCalls, agentTypes, subscriptions } = host.counters();
    if (channels + controlChannels + pendingCalls + agentTypes + subscriptions === 0) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
