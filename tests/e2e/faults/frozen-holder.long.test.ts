import { AgentId } from "troupe";
import type { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { expect, test } from "vitest";
import { Add, AddSlowly } from "./programs/account-messages.ts";
import { linesOf } from "./support/account-checks.ts";
import { KeptHost, newStateFile, startAccountWorker, startCaller } from "./support/account-world.ts";

const slow = new AgentId("account", "slow");

test("agents of a worker that is frozen in a turn go on elsewhere, and when it is back its turn writes nothing and answers no caller", {
  timeout: 120_000,
}, async () => {
  const host = new KeptHost(newStateFile(), ["--heartbeat-ms", "500", "--heartbeat-timeout-ms", "3000"]);
  await host.start();
  const frozen = await startAccountWorker(host.address, "frozen");
  const caller = await startCaller(host.address);
  // While it is alone it gets the agent, which then has something to lose.
  expect(await add(caller, slow, "before")).toMatchObject({ place: 1 });
  const other = await startAccountWorker(host.address, "other");
  const turn = caller.sendMessage(AddSlowly({ entry: "in the turn" }), slow).catch((error: unknown) => error);
  await frozen.output(/adding in the turn/);
  frozen.signal("SIGSTOP");
  // The turn ends as soon as the process runs again.
  frozen.signal("SIGUSR2");
  expect(await turn).toMatchObject({ code: "disconnected" });
  const after = await add(caller, slow, "after");
  expect(after.place).toBe(2);

  frozen.signal("SIGCONT");
  await frozen.output(/added in the turn/);
  // It serves again, under a new session: of ten new agents one is its own.
  const [, pid] = /^(\d+)-/.exec(after.by) ?? [];
  await untilServedByAnother(caller, pid ?? "");
  expect(await add(caller, slow, "at last")).toEqual({ place: 3, by: after.by });
  expect((await linesOf(caller, "account", "slow")).map((line) => line.split("@")[0])).toEqual([
    ...["before", "after", "at last"],
  ]);
  expect(caller.counters()).toMatchObject({ unexpectedAnswers: 0 });
  await caller.stop();
  for (const worker of [frozen, other]) expect(await worker.stop("SIGTERM")).toMatchObject({ code: 0 });
  expect(await host.program.stop("SIGTERM")).toMatchObject({ code: 0 });
});

function add(caller: GrpcWorkerAgentRuntime, account: AgentId, entry: string) {
  return caller.sendMessage(Add({ entry, tells: false, remindsAfterMs: 0 }), account, { waitForTarget: 30_000 });
}

/** Calls new agents until one is in another process; the test's own time limit is the end. */
async function untilServedByAnother(caller: GrpcWorkerAgentRuntime, pid: string): Promise<void> {
  for (let number = 0; ; number += 1) {
    const { by } = await add(caller, new AgentId("account", `new-${number}`), "x");
    if (!by.startsWith(`${pid}-`)) return;
  }
}
