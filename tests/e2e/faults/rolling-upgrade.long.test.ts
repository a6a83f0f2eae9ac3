import { AgentId } from "troupe";
import { expect, test } from "vitest";
import { fact } from "../../support/load/facts.ts";
import { Add } from "./programs/account-messages.ts";
import { faultsOf, linesOf } from "./support/account-checks.ts";
import { AccountLoad, saysUnchanged } from "./support/account-load.ts";
import { KeptHost, newStateFile, startAccountWorker, startCaller, versionsIn } from "./support/account-world.ts";

const accounts = Array.from({ length: 8 }, (_, at) => `account-${at}`);

test("workers of a newer version take over from older ones under load: no call fails, each state is migrated once, and an older worker that comes back changes none", {
  timeout: 180_000,
}, async () => {
  const state = newStateFile();
  const host = new KeptHost(state);
  await host.start();
  const older = [startAccountWorker(host.address, "one", "1"), startAccountWorker(host.address, "two", "1")];
  await Promise.all(older);
  const caller = await startCaller(host.address);
  const versions = await versionsIn(state);
  const load = new AccountLoad({
    ...{ runtime: caller, name: "e", accounts, concurrency: 16, hasChangedNothing: saysUnchanged },
    call: { waitForTarget: 60_000, timeoutMs: 60_000 },
  });
  await load.untilAllAnswered();

  const newer = await Promise.all(["three", "four"].map((name) => startAccountWorker(host.address, name, "2")));
  const late = startAccountWorker(host.address, "late", "1");
  for (const worker of older) {
    await load.untilAnswered(50);
    expect(await (await worker).stop("SIGTERM")).toMatchObject({ code: 0 });
    await load.untilAllAnswered();
    await versions.look();
  }
  // Beside newer workers an older one gets no agents.
  await late;
  await load.untilAllAnswered();
  await load.stop();
  fact("calls during a rolling upgrade", load.totals);
  expect([...load.failed.keys(), ...load.again.keys()]).toEqual([]);
  expect(await faultsOf([load], caller)).toEqual([]);
  for (const account of accounts) {
    const lines = await linesOf(caller, "account", account);
    expect(lines.filter((line) => line.startsWith("migrated@"))).toHaveLength(1);
  }

  // Alone it has the agents, and can't read what the newer program has written.
  for (const worker of newer) expect(await worker.stop("SIGTERM")).toMatchObject({ code: 0 });
  const revisions = await versions.look();
  for (const account of accounts) {
    const call = caller.sendMessage(
      Add({ entry: "x", tells: false, remindsAfterMs: 0 }),
      new AgentId("account", account),
    );
    await expect(call).rejects.toMatchObject({ code: "state-too-new" });
  }
  expect(await versions.look()).toEqual(revisions);
  expect(await (await late).stop("SIGTERM")).toMatchObject({ code: 0 });
  const last = await startAccountWorker(host.address, "last", "2");
  await load.untilAllAnswered();
  expect(await faultsOf([load], caller)).toEqual([]);
  expect(versions.faults).toEqual([]);
  expect(caller.counters()).toMatchObject({ unexpectedAnswers: 0 });
  await caller.stop();
  expect(await last.stop("SIGTERM")).toMatchObject({ code: 0 });
  expect(await host.program.stop("SIGTERM")).toMatchObject({ code: 0 });
});
