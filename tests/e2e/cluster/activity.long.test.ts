import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { ActivityAnswer, CountersAnswer, HostAnswer } from "../../../src/admin/internal.ts";
import { AdminClient } from "../../../src/cli/admin/admin-client.ts";
import { readAdminFile } from "../../../src/cli/admin/admin-file.ts";
import { grpcDialer } from "../../../src/transport/index.ts";
import { NatsServer, natsAbsence } from "../../support/nats-server.ts";
import { NodeProgram } from "../../support/node-program.ts";
import { Opened } from "../../support/opened.ts";
import { RawWorker } from "../../support/raw-worker.ts";

const absence = natsAbsence();

test("two hosts of a cluster at NATS tell the activity and the counters of both", {
  timeout: 240_000,
}, async (context) => {
  if (absence !== undefined) return context.skip(absence);
  await using opened = new Opened();
  const folder = mkdtempSync(join(tmpdir(), "troupe-activity-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const nats = opened.use(await NatsServer.start());
  const hosts = await Promise.all(
    ["one", "two"].map(async (name) => {
      const file = join(folder, `${name}.json`);
      const flags = ["--address", "127.0.0.1:0", "--cluster", nats.url, "--name", name];
      const admin = ["--admin", "127.0.0.1:0", "--admin-file", file];
      const program = opened.use(new NodeProgram("src/cli/main.ts", ["host", ...flags, ...admin], { cwd: folder }));
      const [, address = ""] = await program.output(/troupe host listening on (\S+)\ntroupe admin on /);
      const { url = "", token = "" } = readAdminFile(file) ?? {};
      return { address, client: new AdminClient({ url, token }) };
    }),
  );
  const [one, two] = hosts;
  if (one === undefined || two === undefined) throw new Error("There are two hosts.");
  const [caller, target] = await Promise.all([
    new RawWorker(grpcDialer().dial(one.address), "caller", { isAnnounced: true }).join(),
    new RawWorker(grpcDialer().dial(two.address), "target", { isAnnounced: true }).join(),
  ]);
  await target.register("writer");
  const { hostId } = await two.client.ask<HostAnswer>("GET", "/v1/host");
  const activity = (host?: string | null) =>
    one.client.ask<ActivityAnswer>("GET", "/v1/activity", { step: 0, host: host ?? undefined });
  // Each host learns of the other one by its watch.
  for (let hostsTold = 0; hostsTold < 2; ) {
    const { hosts: told } = await one.client.ask<CountersAnswer>("GET", "/v1/counters");
    hostsTold = told.length;
  }
  expect((await activity()).unanswered).toEqual([]);
  for (const key of ["1", "2"]) {
    caller.request(key, `writer/${key}`);
    target.respond((await target.nextRequest()).requestId, "done");
    await caller.nextResponse();
  }
  for (const answer of [await activity(), await activity(hostId)])
    expect(answer.types).toMatchObject([{ type: "writer", calls: 2, failed: 0 }]);
  const counters = await one.client.ask<CountersAnswer>("GET", "/v1/counters");
  expect(counters.counters).toMatchObject({ channels: 2, agentTypes: 1 });
  // Steps are told when they are over.
  let calls = 0;
  while (calls < 2) calls = (await activity()).steps.reduce((sum, step) => sum + step.calls, 0);
  expect(calls).toBe(2);
});
