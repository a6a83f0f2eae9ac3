import { setTimeout as pause } from "node:timers/promises";
import type { SeededRandom } from "troupe/testing";
import { leaseMs, type SoakCluster, type SoakHost, workerLeaseMs } from "./soak-cluster.ts";

/** Something that happens to a cluster. It resolves when all is there again. */
export interface SoakFault {
  readonly name: string;
  readonly happen: (cluster: SoakCluster, random: SeededRandom) => Promise<void>;
}

/** The last host is never ended, so that its memory shows over the whole run. */
function mortalHost({ hosts }: SoakCluster, random: SeededRandom): SoakHost {
  return random.pick(hosts.slice(0, -1) as [SoakHost, ...SoakHost[]]);
}

function anyHost({ hosts }: SoakCluster, random: SeededRandom): SoakHost {
  return random.pick(hosts as [SoakHost, ...SoakHost[]]);
}

async function endHost(cluster: SoakCluster, host: SoakHost, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  await host.program.end(signal);
  await cluster.startHost(host);
}

async function endWorker(cluster: SoakCluster, random: SeededRandom, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  await cluster.takeWorker(random.between(0, cluster.workers.length - 1)).end(signal);
  await cluster.addWorker();
}

async function freezeHost(host: SoakHost, forMs: number): Promise<void> {
  host.program.signal("SIGSTOP");
  await pause(forMs);
  host.program.signal("SIGCONT");
}

async function freezeWorker(cluster: SoakCluster, random: SeededRandom, forMs: number): Promise<void> {
  const worker = cluster.workers[random.between(0, cluster.workers.length - 1)];
  worker?.signal("SIGSTOP");
  await pause(forMs);
  worker?.signal("SIGCONT");
}

async function natsAway({ nats }: SoakCluster, forMs: number): Promise<void> {
  await Promise.all(nats.map((server) => server.stop()));
  await pause(forMs);
  await Promise.all(nats.map((server) => server.restart()));
}

/** Each happens once before one of them happens again. */
export const soakFaults: readonly SoakFault[] = [
  { name: "a worker is killed", happen: (cluster, random) => endWorker(cluster, random, "SIGKILL") },
  { name: "a worker is drained", happen: (cluster, random) => endWorker(cluster, random, "SIGTERM") },
  { name: "a host is killed", happen: (cluster, random) => endHost(cluster, mortalHost(cluster, random), "SIGKILL") },
  { name: "a host leaves", happen: (cluster, random) => endHost(cluster, mortalHost(cluster, random), "SIGTERM") },
  {
    name: "a host is drained by another one",
    happen: async (cluster, random) => {
      const host = mortalHost(cluster, random);
      host.program.mayEnd();
      const said = await cluster.command("drain", "host", host.name, "--name", "h2", "--grace-ms", "10000");
      if (!said.includes("left the cluster")) cluster.problems.push(`troupe drain host said: ${said}`);
      await endHost(cluster, host, "SIGTERM");
    },
  },
  {
    name: "hosts are restarted one after the other",
    happen: async (cluster) => {
      for (const host of cluster.hosts.slice(0, -1)) {
        await endHost(cluster, host, "SIGTERM");
        await cluster.untilAnswered();
      }
    },
  },
  {
    name: "a NATS server is killed",
    happen: async ({ nats }, random) => {
      const server = nats[random.between(0, nats.length - 1)];
      await server?.kill();
      await pause(2_000);
      await server?.restart();
    },
  },
  { name: "NATS is away for 10 s", happen: (cluster) => natsAway(cluster, 10_000) },
  { name: "NATS is away for 40 s", happen: (cluster) => natsAway(cluster, 40_000) },
  {
    name: "a worker stands still below its lease",
    happen: (cluster, random) => freezeWorker(cluster, random, workerLeaseMs / 3),
  },
  {
    name: "a worker stands still beyond its lease",
    happen: (cluster, random) => freezeWorker(cluster, random, 3 * workerLeaseMs),
  },
  {
    name: "a host stands still below its lease",
    happen: (cluster, random) => freezeHost(anyHost(cluster, random), leaseMs / 4),
  },
  {
    name: "a host stands still beyond its lease",
    happen: (cluster, random) => freezeHost(anyHost(cluster, random), 1.5 * leaseMs),
  },
  {
    name: "the links of a host are cut",
    happen: async (cluster, random) => {
      for (let cut = 0; cut < 3; cut += 1) {
        anyHost(cluster, random).proxies.peers.apply({ kind: "reset" });
        await pause(300);
      }
    },
  },
  {
    name: "the links of a host are silent for 4 s",
    happen: async (cluster, random) => {
      anyHost(cluster, random).proxies.peers.apply({ kind: "stall", forMs: 4_000 });
      await pause(4_000);
    },
  },
  {
    name: "a host does not reach NATS for 4 s",
    happen: async (cluster, random) => {
      const { nats } = anyHost(cluster, random).proxies;
      for (const proxy of nats) {
        proxy.apply({ kind: "refuse", forMs: 4_000 });
        proxy.apply({ kind: "reset" });
      }
      await pause(4_000);
    },
  },
  {
    name: "a host does not reach NATS for longer than its lease",
    happen: async (cluster, random) => {
      const { nats } = anyHost(cluster, random).proxies;
      for (const proxy of nats) proxy.apply({ kind: "stall", forMs: 1.5 * leaseMs });
      await pause(1.5 * leaseMs);
    },
  },
  {
    name: "the workers of a host lose their connections",
    happen: async (cluster, random) => {
      anyHost(cluster, random).proxies.workers.apply({ kind: "reset" });
    },
  },
  {
    name: "PostgreSQL is restarted",
    happen: async ({ postgres }) => {
      await postgres.stop();
      await pause(1_000);
      await postgres.restart();
    },
  },
];

/** Faults in an order by the seed; all of them, then all again. */
export class FaultDeck {
  readonly #random: SeededRandom;
  #left: SoakFault[] = [];

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  next(): SoakFault {
    if (this.#left.length === 0) this.#left = [...soakFaults];
    const [fault] = this.#left.splice(this.#random.between(0, this.#left.length - 1), 1);
    if (fault === undefined) throw new Error("There are faults.");
    return fault;
  }
}
