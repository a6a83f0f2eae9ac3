import { expect, test } from "vitest";
import { statusCommand } from "../../../src/cli/commands/status.ts";
import { AgentId } from "../../../src/core/index.ts";
import { StoreError } from "../../../src/core/internal.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { Add, Shopper } from "../../support/page/page-world.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { AdminRig } from "./admin-rig.ts";
import { run } from "./running.ts";

test("troupe status shows workers, calls and events of a host, and says what is wrong with what to do", async () => {
  const clock = new ManualClock();
  await using rig = await AdminRig.open({ clock });
  const link = rig.dial();
  const worker = await new RawWorker(link, "worker", { isAnnounced: true }).join();
  await worker.register("writer");
  const caller = await new RawWorker(link, "caller", { isAnnounced: true }).join();
  caller.request("1", "writer/x");
  await worker.nextRequest();
  clock.advance(83_000);
  caller.request("2", "nobody/x");
  await caller.next();
  const status = (...args: readonly string[]) =>
    run(statusCommand("1.2.3"), "--sample-ms", "100", ...args, ...rig.flags);
  const report = JSON.parse((await status("--json")).out);
  expect(report).toMatchObject({
    ...{ health: "serving", host: { name: "rig", version: "1.2.3", address: rig.host.address } },
    ...{ workers: { total: 2, stock: 0, draining: 0 }, agentTypes: 1, cluster: null },
    queues: { pendingCalls: 1, maxHeldBytes: 512 * 1_024 * 1_024 },
    kept: { deadLetters: 0 },
    warnings: [
      expect.stringMatching(/^1 call to writer waits at its workers, the oldest for 1 min 23 s\. Look at/),
      expect.stringMatching(/^\d failures of the kind call in the last 10 min.*troupe tail --kind call\.$/),
    ],
  });
  const { out, err } = await status();
  expect(out).toMatch(/^state +serving for .*version 1\.2\.3$/m);
  expect(out).toMatch(/^workers +2$/m);
  expect(out).toMatch(/^calls +0\/s, 1 under way, 0\/s failed$/m);
  expect(out).toMatch(/^warning: 1 call to writer/m);
  // Neither the progress nor colours reach what is not a terminal.
  expect(err).toBe("");
  expect(out).not.toContain("\u001b");
  await link.close();
});

test("troupe status says that the disk of the states is full, where commits fail for that", async () => {
  class FullStore extends MemoryStateStore {
    override async commit(): Promise<never> {
      throw new StoreError("full", "The disk is full.");
    }
  }
  await using rig = await AdminRig.open({ stateStore: new FullStore() });
  await using worker = new WorkerRuntime({ dialer: rig.dialer, address: "host:1", logger: new RecordingLogger() });
  await worker.start();
  await Shopper.register(worker, "shopper", () => new Shopper("a shopper"));
  await expect(worker.sendMessage(Add({ amount: 1 }), new AgentId("shopper", "1"))).rejects.toMatchObject({
    code: "state-unavailable",
  });
  const { out } = await run(statusCommand("1.2.3"), "--sample-ms", "100", ...rig.flags);
  expect(out).toMatch(
    /^warning: .*of the kind commit about shopper.*: a state of \d+ bytes: The state store of the host is full\./m,
  );
});
