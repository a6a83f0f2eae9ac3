import { expect, test } from "vitest";
import { statusCommand } from "../../../src/cli/commands/status.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { RawWorker } from "../../support/raw-worker.ts";
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
