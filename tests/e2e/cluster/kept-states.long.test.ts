import { describe, expect, it } from "vitest";
import { fact } from "../../support/load/facts.ts";
import type { NodeProgram } from "../../support/node-program.ts";
import { StateCluster, stateClusterAbsence } from "../../support/state-cluster.ts";
import { faultsOf } from "../faults/support/account-checks.ts";
import { AccountLoad, saysUnchanged } from "../faults/support/account-load.ts";
import { startAccountWorker, startCaller, versionsIn } from "../faults/support/account-world.ts";

const absence = stateClusterAbsence();
/** A host gives no messages to an agent whose calls have cost it three workers. */
const accountsOf = (part: number): readonly string[] => Array.from({ length: 8 }, (_, at) => `account-${part}-${at}`);
const leases = ["--lease-ms", "4000", "--worker-lease-ms", "1500"];

describe.skipIf(absence)("persistent agents of a cluster", { timeout: 300_000 }, () => {
  it("lose no acknowledged state and double nothing when workers, hosts, and both are killed with -9", async () => {
    await using cluster = await StateCluster.start(3, ...leases);
    const workers: NodeProgram[] = [];
    const startWorker = async (name: string, address: string) => {
      workers.push(await startAccountWorker([address, ...cluster.addresses].join(","), name));
    };
    for (const [index, { address }] of cluster.hosts.entries()) await startWorker(`w${index}`, address);
    const versions = await versionsIn(cluster.state);
    const load = new AccountLoad({
      ...{ runtime: await startCaller(cluster.addresses), name: "e", accounts: accountsOf(0), concurrency: 12 },
      hasChangedNothing: saysUnchanged,
    });
    await load.untilAllAnswered();
    const fates = ["worker", "host", "both"] as const;
    for (const [round, fate] of fates.entries()) {
      await load.goOnWith(accountsOf(round + 1));
      await load.untilAllAnswered();
      await load.untilAnswered(50);
      const [worker, host] = [workers[round], cluster.hosts[round]];
      if (worker === undefined || host === undefined) throw new Error("unreachable");
      const killed = [fate === "host" ? [] : [worker], fate === "worker" ? [] : [host.program]].flat();
      for (const program of killed) program.signal("SIGKILL");
      await Promise.all(killed.map(({ ended }) => ended));
      await load.untilAllAnswered();
      await load.untilAnswered(50);
      await versions.look();
      if (fate !== "worker") await cluster.startHost();
      if (fate !== "host") await startWorker(`n${round}`, cluster.addresses[0] ?? "");
    }
    await load.untilAllAnswered();
    await load.stop();
    fact("their calls", load.totals);
    const caller = await startCaller(cluster.addresses);
    expect(await faultsOf([load], caller)).toEqual([]);
    expect(versions.faults).toEqual([]);
  });

  it("fail no call when hosts and workers are restarted one after the other under load", async () => {
    await using cluster = await StateCluster.start(3);
    const start = (name: string) => startAccountWorker(cluster.addresses.join(","), name);
    let workers = [await start("a0"), await start("a1")];
    const accounts = accountsOf(0);
    const runtime = await startCaller(cluster.addresses);
    const load = new AccountLoad({ runtime, name: "r", accounts, concurrency: 12, hasChangedNothing: saysUnchanged });
    await load.untilAllAnswered();
    for (const [round, { program }] of [...cluster.hosts].entries()) {
      await cluster.startHost();
      await load.untilAnswered(50);
      expect(await program.stop("SIGTERM")).toMatchObject({ code: 0 });
      await load.untilAllAnswered();
      const [oldest, ...others] = workers;
      if (round > 1 || oldest === undefined) continue;
      // What it has moves to the others, under load.
      workers = [...others, await start(`b${round}`)];
      await load.untilAnswered(50);
      expect(await oldest.stop("SIGTERM")).toMatchObject({ code: 0 });
      await load.untilAllAnswered();
    }
    await load.stop();
    fact("their calls", load.totals);
    expect([...load.failed.keys(), ...load.again.keys()]).toEqual([]);
    expect(await faultsOf([load], runtime)).toEqual([]);
  });
});
