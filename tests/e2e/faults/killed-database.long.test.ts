import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { fact } from "../../support/load/facts.ts";
import { PostgresServer, postgresAbsence } from "../../support/postgres-server.ts";
import { faultsOf } from "./support/account-checks.ts";
import { AccountLoad, saysUnchanged } from "./support/account-load.ts";
import { KeptHost, startAccountWorker, startCaller, versionsIn } from "./support/account-world.ts";

const accounts = Array.from({ length: 8 }, (_, at) => `account-${at}`);
const absence = postgresAbsence();
let server: PostgresServer;

beforeAll(async () => {
  if (absence === undefined) server = await PostgresServer.start();
}, 60_000);
afterAll(() => server?.[Symbol.asyncDispose]());
beforeEach((context) => {
  if (absence !== undefined) context.skip(absence);
});

test("a host whose PostgreSQL is killed, stopped and started again tells each caller the truth, and goes on by itself", {
  timeout: 180_000,
}, async () => {
  const host = new KeptHost(server.url());
  await host.start();
  const worker = await startAccountWorker(host.address, "one");
  const caller = await startCaller(host.address);
  const versions = await versionsIn(server.url());
  const load = new AccountLoad({
    ...{ runtime: caller, name: "e", accounts, concurrency: 16, hasChangedNothing: saysUnchanged },
  });
  const losses = [
    { how: "killed", lose: () => server.kill() },
    { how: "stopped", lose: () => server.stop() },
    { how: "killed", lose: () => server.kill() },
  ];
  for (const { how, lose } of losses) {
    await load.untilAnswered(100);
    const before = load.failures("state-unavailable");
    await lose();
    // Nobody waits for a database that is not there: calls learn it, each time.
    await load.until(() => load.failures("state-unavailable") > before);
    expect(host.program.isRunning, how).toBe(true);
    await server.restart();
    await load.untilAllAnswered();
    await versions.look();
  }
  await load.stop();
  fact("calls while PostgreSQL was killed and stopped", load.totals);

  // The host was there all the time: nothing but the store can have failed.
  expect([...load.failed.keys(), ...load.again.keys()].filter((code) => !code.startsWith("state-"))).toEqual([]);
  expect(await faultsOf([load], caller)).toEqual([]);
  expect(versions.faults).toEqual([]);
  await caller.stop();
  expect(await worker.stop("SIGTERM")).toMatchObject({ code: 0 });
  expect(await host.program.stop("SIGTERM")).toMatchObject({ code: 0 });
});
