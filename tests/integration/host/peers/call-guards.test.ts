import { expect, test } from "vitest";
import { MemoryCoordinationStore } from "../../../../src/cluster/index.ts";
import { AgentId } from "../../../../src/core/index.ts";
import { Host } from "../../../../src/host/index.ts";
import { createMemoryNetwork } from "../../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../../src/worker/index.ts";
import { Answer, Ask, Probe } from "../../../contract/agent-runtime/world.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";

test("agents that interleave and call each other without end get loop-detected over two hosts", async () => {
  const [peers, store] = [createMemoryNetwork(), new MemoryCoordinationStore()];
  const transport = { dialer: peers, listener: peers, isMutual: false };
  const ends: (() => Promise<void>)[] = [() => store.close()];
  await using _closes = {
    [Symbol.asyncDispose]: async () => {
      for (const end of ends.reverse()) await end();
    },
  };
  const logger = new RecordingLogger();
  let handlers = 0;
  const workers: WorkerRuntime[] = [];
  for (const [type, other] of [
    ["ping", "pong"],
    ["pong", "ping"],
  ] as const) {
    const network = createMemoryNetwork();
    const cluster = { store, transport, peerAddress: "127.0.0.1:0" };
    const host = new Host({ listener: network, address: "127.0.0.1:0" }, { cluster });
    await host.start();
    ends.push(() => host.stop({ graceMs: 0 }));
    const guards = { calls: { maxHandlers: 20 } };
    const worker = new WorkerRuntime({ dialer: network, address: host.address, drainTimeoutMs: 200, guards, logger });
    worker.addMessageSerializer([Ask, Answer]);
    await worker.start();
    ends.push(() => worker.stop());
    const answers = ({ text }: { readonly text: string }, _context: unknown, probe: Probe) => {
      if (text === "hello") return Answer({ text });
      handlers += 1;
      return probe.sendMessage(Ask({ text }), new AgentId(other, "k"));
    };
    await worker.registerFactory(type, () => new Probe(answers));
    workers.push(worker);
  }
  for (const [at, type] of ["pong", "ping"].entries()) {
    await workers[at]?.sendMessage(Ask({ text: "hello" }), new AgentId(type, "k"), { waitForTarget: 60_000 });
  }
  const call = workers[0]?.sendMessage(Ask({ text: "go" }), new AgentId("pong", "k"));
  await expect(call).rejects.toMatchObject({
    code: "loop-detected",
    message: expect.stringContaining("More than 20 handlers wait for the call to "),
  });
  expect(handlers).toBeGreaterThan(20);
  expect(handlers).toBeLessThanOrEqual(70);
});
