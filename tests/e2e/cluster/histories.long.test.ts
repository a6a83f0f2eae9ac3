import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { expect, it } from "vitest";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { seededRandom } from "../../../src/testing/seeded-random.ts";
import { type ClusterHostRig, clusterTransports } from "../../support/cluster-rig.ts";
import { fact } from "../../support/load/facts.ts";
import { Opened } from "../../support/opened.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { sharedMemoryStores } from "../../support/shared-memory-store.ts";
import { StalledCoordination } from "../../support/stalled-coordination.ts";
import { registerAccounts } from "../faults/programs/account-agents.ts";
import { faultsOf } from "../faults/support/account-checks.ts";
import { AccountLoad, saysUnchanged } from "../faults/support/account-load.ts";
import { startCaller } from "../faults/support/account-world.ts";

const accountsOf = (part: number): readonly string[] => Array.from({ length: 6 }, (_, at) => `account-${part}-${at}`);
const rounds = 10;
type Fault = "partition" | "lost host" | "stopped host" | "stopped worker";
const faults = ["partition", "lost host", "stopped host", "stopped worker"] as const;

interface OpenHost extends ClusterHostRig {
  readonly coordination: StalledCoordination;
}

/** Hosts over gRPC in this process, with one store of states, one log of mail and one coordination store, and workers of all of them. */
async function openWorld(opened: Opened) {
  const [, overGrpc] = clusterTransports;
  if (overGrpc === undefined) throw new Error("There is gRPC.");
  const mailboxes = new MemoryStateStore();
  await mailboxes.open();
  const { log } = mailboxes;
  const stores = sharedMemoryStores();
  const coordinations: StalledCoordination[] = [];
  const options = {
    host: () => ({ stateStore: stores(), retry: { initialDelayMs: 20, maxDelayMs: 200 } }),
    cluster: { log, leaseMs: 3_000, workerLeaseMs: 1_000, rejoinGraceMs: 300 },
    storeOf: (store: ConstructorParameters<typeof StalledCoordination>[0]) => {
      const coordination = new StalledCoordination(store);
      coordinations.push(coordination);
      return coordination;
    },
  };
  const rig = opened.use(await overGrpc.start({ ...options, count: 3 }));
  const withCoordination = (host: ClusterHostRig, at: number): OpenHost => {
    const coordination = coordinations[at];
    if (coordination === undefined) throw new Error("Each host has one.");
    return { ...host, coordination };
  };
  const hosts = rig.hosts.map(withCoordination);
  const addresses = (): readonly string[] => hosts.map(({ host }) => host.address);
  const startHost = async (): Promise<void> => {
    const host = await rig.add(options);
    hosts.push(withCoordination(host, coordinations.length - 1));
  };
  const startWorker = async (name: string): Promise<GrpcWorkerAgentRuntime> => {
    const reconnect = { initialDelayMs: 20, maxDelayMs: 100, startWaits: true };
    const worker = opened.use(
      new GrpcWorkerAgentRuntime(addresses(), { name, reconnect, logger: new RecordingLogger() }),
    );
    await worker.start();
    await registerAccounts(worker);
    return worker;
  };
  return { hosts, addresses, startHost, startWorker };
}

it.each([1, 2])(
  "what persistent agents of real workers and hosts have done is whole and in order after faults: seed %i",
  { timeout: 240_000 },
  async (seed) => {
    await using opened = new Opened();
    const random = seededRandom(seed);
    const { hosts, addresses, startHost, startWorker } = await openWorld(opened);
    const workers = [await startWorker("w0"), await startWorker("w1"), await startWorker("w2")];
    const runtime = await startCaller(addresses());
    const load = new AccountLoad({
      ...{ runtime, name: `s${seed}-`, accounts: accountsOf(0), concurrency: 8 },
      hasChangedNothing: saysUnchanged,
    });
    await load.untilAllAnswered();
    const endured = new Map<Fault, number>();
    for (let round = 0; round < rounds; round += 1) {
      await load.goOnWith(accountsOf(round));
      await load.untilAnswered(random.between(10, 60));
      const fault = faults[round < faults.length ? round : random.between(0, faults.length - 1)] ?? "partition";
      endured.set(fault, (endured.get(fault) ?? 0) + 1);
      const [host] = hosts.splice(random.between(0, hosts.length - 1), 1);
      if (host === undefined) throw new Error("There are hosts.");
      switch (fault) {
        case "partition":
          host.coordination.goAway();
          await load.untilAllAnswered();
          host.coordination.comeBack();
          hosts.push(host);
          break;
        case "lost host":
          // It can't say goodbye to the cluster.
          host.coordination.goAway();
          await host.host.stop({ graceMs: 0 });
          await startHost();
          break;
        case "stopped host":
          await startHost();
          await host.host.stop();
          break;
        case "stopped worker":
          hosts.push(host);
          workers.push(await startWorker(`n${round}`));
          await workers.shift()?.stop();
          break;
      }
      await load.untilAllAnswered();
    }
    await load.stop();
    fact("faults", [...endured].map(([fault, times]) => `${times} ${fault}`).join(", "));
    fact("their calls", load.totals);
    expect(await faultsOf([load], runtime)).toEqual([]);
  },
);
