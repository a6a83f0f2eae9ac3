import { afterAll, beforeAll, expect, test } from "vitest";
import { seededRandom } from "../../../src/testing/seeded-random.ts";
import { fact } from "../../support/load/facts.ts";
import { PostgresServer, postgresAbsence } from "../../support/postgres-server.ts";
import { faultsOf } from "./support/account-checks.ts";
import { AccountLoad, saysUnchanged } from "./support/account-load.ts";
import { KeptHost, newStateFile, startAccountWorker, startCaller, versionsIn } from "./support/account-world.ts";

const accounts = Array.from({ length: 12 }, (_, at) => `account-${at}`);
const rounds = 6;
const absence = postgresAbsence();
let server: PostgresServer | undefined;

beforeAll(async () => {
  if (absence === undefined) server = await PostgresServer.start();
}, 60_000);
afterAll(() => server?.[Symbol.asyncDispose]());

const states: Record<string, () => string | undefined> = {
  SQLite: () => newStateFile(),
  PostgreSQL: () => server?.url(),
};

test.for(Object.entries(states))(
  "nothing acknowledged is lost, and nothing counts twice, when a host on %s is killed at random moments under load",
  { timeout: 300_000 },
  async ([store, stateOf], context) => {
    const state = stateOf();
    if (state === undefined) return context.skip(absence);
    const host = new KeptHost(state);
    await host.start();
    const workers = await Promise.all(["one", "two"].map((name) => startAccountWorker(host.address, name)));
    const caller = await startCaller(host.address);
    const versions = await versionsIn(state);
    const load = new AccountLoad({
      ...{ runtime: caller, name: "e", accounts, concurrency: 24, hasChangedNothing: saysUnchanged },
      call: { waitForTarget: 60_000, timeoutMs: 60_000 },
    });
    const random = seededRandom(5);
    for (let round = 0; round < rounds; round += 1) {
      await load.untilAllAnswered();
      await load.untilAnswered(random.between(1, 200));
      await host.program.stop("SIGKILL");
      await versions.look();
      await host.start();
    }
    await load.untilAllAnswered();
    await load.stop();
    fact(`calls over ${rounds} kills of a host on ${store}`, load.totals);

    expect(await faultsOf([load], caller)).toEqual([]);
    await versions.look();
    expect(versions.faults).toEqual([]);
    expect(caller.counters()).toMatchObject({ unexpectedAnswers: 0 });
    await caller.stop();
    for (const worker of workers) expect(await worker.stop("SIGTERM")).toMatchObject({ code: 0 });
    expect(await host.program.stop("SIGTERM")).toMatchObject({ code: 0 });
  },
);
