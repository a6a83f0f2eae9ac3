import { expect, test } from "vitest";
import { fact } from "../../support/load/facts.ts";
import { faultsOf } from "./support/account-checks.ts";
import { AccountLoad, saysUnchanged } from "./support/account-load.ts";
import { KeptHost, newStateFile, startAccountWorker, startCaller, versionsIn } from "./support/account-world.ts";

const accounts = Array.from({ length: 6 }, (_, at) => `account-${at}`);

test("a second host that takes the store over from one that lives has its states, and no call to either counts twice or is lost", {
  timeout: 180_000,
}, async () => {
  const state = newStateFile();
  const older = new KeptHost(state);
  await older.start();
  const olderWorker = await startAccountWorker(older.address, "older");
  const olderCaller = await startCaller(older.address);
  const versions = await versionsIn(state);
  const olderLoad = new AccountLoad({
    ...{ runtime: olderCaller, name: "a", accounts, concurrency: 8, hasChangedNothing: saysUnchanged },
    isKeyed: false,
  });
  await olderLoad.untilAllAnswered();
  await olderLoad.untilAnswered(100);

  // Without the flag it is told who holds the store.
  const refused = new KeptHost(state);
  await expect(refused.start()).rejects.toThrow(/is in use by process \d+ on .*--take-over/s);

  const newer = new KeptHost(state);
  await newer.start("--take-over");
  const newerWorker = await startAccountWorker(newer.address, "newer");
  const newerCaller = await startCaller(newer.address);
  const newerLoad = new AccountLoad({
    ...{ runtime: newerCaller, name: "b", accounts, concurrency: 8, hasChangedNothing: saysUnchanged },
  });
  await newerLoad.untilAllAnswered();
  await versions.look();
  const { answered } = olderLoad;
  // The older host lives, and writes nothing more, whoever asks.
  await olderLoad.until(() => olderLoad.failures("state-unavailable") >= 50);
  await newerLoad.untilAnswered(100);
  expect(older.program.isRunning).toBe(true);
  await older.program.errorOutput(/another process has taken the state store over/);
  expect(olderLoad.answered).toBe(answered);
  await Promise.all([olderLoad.stop(), newerLoad.stop()]);
  fact("calls to the host that lost its store", olderLoad.totals);
  fact("calls to the one that took it", newerLoad.totals);

  expect(await faultsOf([olderLoad, newerLoad], newerCaller)).toEqual([]);
  await versions.look();
  expect(versions.faults).toEqual([]);
  for (const caller of [olderCaller, newerCaller]) {
    expect(caller.counters()).toMatchObject({ unexpectedAnswers: 0 });
    await caller.stop();
  }
  for (const worker of [olderWorker, newerWorker]) expect(await worker.stop("SIGTERM")).toMatchObject({ code: 0 });
  for (const host of [older, newer]) expect(await host.program.stop("SIGTERM")).toMatchObject({ code: 0 });
});
