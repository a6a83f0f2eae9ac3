import { expect, test } from "vitest";
import { seededRandom } from "../../../src/testing/seeded-random.ts";
import { fact } from "../../support/load/facts.ts";
import { faultsOf } from "./support/account-checks.ts";
import { AccountLoad } from "./support/account-load.ts";
import { KeptHost, newStateFile, startAccountWorker, startCaller, versionsIn } from "./support/account-world.ts";

/**
 * The agents that are called while two workers meet their fates: a host gives no messages to an agent whose calls have cost it three workers.
 */
const accountsOf = (part: number) => Array.from({ length: 12 }, (_, at) => `account-${part}-${at}`);
const names = ["one", "two", "three"] as const;

/** What becomes of a worker. */
type Fate = "killed" | "stopped" | "frozen for a moment" | "frozen until it is noticed";
const fates = ["killed", "stopped", "frozen for a moment", "frozen until it is noticed"] as const;
/** Each worker meets each fate. */
const rounds = names.length * fates.length;

test("no acknowledged state is lost, and no two activations write, while three workers of shared types are each killed, stopped and frozen in turn", {
  timeout: 300_000,
}, async () => {
  const state = newStateFile();
  const host = new KeptHost(state, ["--heartbeat-ms", "500", "--heartbeat-timeout-ms", "3000"]);
  await host.start();
  const workers = names.map((name) => startAccountWorker(host.address, name));
  await Promise.all(workers);
  const caller = await startCaller(host.address);
  const versions = await versionsIn(state);
  const load = new AccountLoad({
    ...{ runtime: caller, name: "e", accounts: accountsOf(0), concurrency: 24 },
    // The host lives all the time, and no call is given up by its caller.
    hasChangedNothing: ({ code }) => code !== "state-unknown",
  });
  await load.untilAllAnswered();

  const random = seededRandom(11);
  const endured = new Map<Fate, number>();
  for (let round = 0; round < rounds; round += 1) {
    if (round > 0 && round % 2 === 0) {
      await load.goOnWith(accountsOf(round / 2));
      await load.untilAllAnswered();
    }
    const at = round % names.length;
    const fate = fates[round % fates.length] ?? "killed";
    const worker = await workers[at];
    if (worker === undefined) throw new Error("unreachable");
    await load.untilAnswered(random.between(10, 100));
    endured.set(fate, (endured.get(fate) ?? 0) + 1);
    switch (fate) {
      case "killed":
        await worker.stop("SIGKILL");
        break;
      case "stopped":
        expect(await worker.stop("SIGTERM")).toMatchObject({ code: 0 });
        break;
      case "frozen for a moment":
        worker.signal("SIGSTOP");
        await load.untilAnswered(20);
        worker.signal("SIGCONT");
        break;
      case "frozen until it is noticed":
        worker.signal("SIGSTOP");
        await load.untilAllAnswered();
        worker.signal("SIGCONT");
        break;
    }
    await load.untilAnswered(random.between(10, 50));
    await versions.look();
    // The other two have their turns meanwhile.
    if (!worker.isRunning) workers[at] = startAccountWorker(host.address, names[at] ?? "");
  }
  await load.untilAllAnswered();
  await load.stop();
  fact("workers of shared types", [...endured].map(([fate, times]) => `${times} ${fate}`).join(", "));
  fact("their calls", load.totals);
  // A worker that stops lets its agents go, and fails no call.
  expect([...load.failed.keys(), ...load.again.keys()].filter((code) => code !== "disconnected")).toEqual([]);

  expect(await faultsOf([load], caller)).toEqual([]);
  expect(versions.faults).toEqual([]);
  expect(caller.pendingCallsCount).toBe(0);
  expect(caller.counters()).toMatchObject({ unexpectedAnswers: 0 });
  await caller.stop();
  for (const worker of workers) expect(await (await worker).stop("SIGTERM")).toMatchObject({ code: 0 });
  expect(await host.program.stop("SIGTERM")).toMatchObject({ code: 0 });
});
