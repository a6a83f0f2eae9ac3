import type {
  CallRow,
  ClusterAnswer,
  ConfigurationAnswer,
  CountersAnswer,
  DeadRow,
  FailurePage,
  HostAnswer,
  SubscriptionRow,
  WorkerRow,
} from "../../admin/internal.ts";
import type { AdminClient } from "../admin/admin-client.ts";
import { readList } from "../printing.ts";

/** The report of a host for its operator. */
export interface HostReport {
  readonly host: HostAnswer;
  /** `serving`, or what the host does instead. */
  readonly health: string;
  readonly uptimeMs: number;
  readonly workers: { readonly total: number; readonly stock: number; readonly draining: number };
  readonly agentTypes: number;
  readonly subscriptions: number;
  /** Agents of shared types that have a worker. */
  readonly agents: number;
  readonly rates: Rates;
  readonly queues: {
    readonly pendingCalls: number;
    readonly queuedFrames: number;
    readonly queuedBytes: number;
    readonly heldBytes: number;
    readonly maxHeldBytes: number;
    readonly heldMessages: number;
  };
  readonly kept: { readonly deadLetters: number; readonly hasMoreDeadLetters: boolean };
  /** Null: the host is alone. */
  readonly cluster: ClusterReport | null;
  /** Texts that each say what is wrong, and what to do. */
  readonly warnings: readonly string[];
}

export interface ClusterReport {
  readonly name: string;
  readonly hosts: number;
  /** Of all hosts that tell their state: workers, calls without an answer, and agents of shared types. */
  readonly workers: number;
  readonly calls: number;
  readonly agents: number;
  readonly natsServers: readonly string[];
  readonly problems: readonly string[];
}

/** Numbers of things in a second, over the time of the sample. */
export interface Rates {
  readonly sampleMs: number;
  readonly calls: number;
  readonly answers: number;
  readonly failedCalls: number;
  readonly events: number;
  readonly deliveries: number;
  readonly commits: number;
}

type Counters = CountersAnswer["counters"];

/** The answers of a host, before they are judged. */
export interface HostFindings {
  readonly host: HostAnswer;
  readonly health: string;
  readonly nowMs: number;
  readonly settings: ConfigurationAnswer["settings"];
  readonly counters: Counters;
  readonly rates: Rates;
  /** Of all hosts of the cluster, as are calls and failures. */
  readonly workers: readonly WorkerRow[];
  /** Calls that wait for long, the oldest first. */
  readonly oldCalls: readonly CallRow[];
  readonly failures: FailurePage["rows"];
  readonly deadLetters: readonly DeadRow[];
  readonly hasMoreDeadLetters: boolean;
  readonly durable: readonly SubscriptionRow[];
  readonly cluster: ClusterAnswer | undefined;
}

/** Milliseconds after which a call counts as old. */
export const oldCallMs = 10_000;
/** Rows that are looked at of each list. */
const most = { workers: 10_000, calls: 200, failures: 500, deadLetters: 500, durable: 1_000 } as const;
/** Milliseconds that a host has to gather its cluster. */
const clusterTimeoutMs = 30_000;

/** Asks a host for what it does. `wait` passes the time between two looks at its counters. */
export async function askHost(
  client: AdminClient,
  wait: (ms: number) => Promise<void>,
  sampleMs: number,
): Promise<HostFindings> {
  const host = await client.ask<HostAnswer>("GET", "/v1/host");
  const asked = host.hostId === null ? {} : { host: host.hostId };
  const counters = (): Promise<Counters> =>
    client.ask<CountersAnswer>("GET", "/v1/counters", asked).then((answer) => answer.counters);
  const beganMs = performance.now();
  const before = await counters();
  const waited = wait(sampleMs);
  const { settings } = await client.ask<ConfigurationAnswer>("GET", "/v1/configuration");
  const isClustered = settings.cluster !== null && settings.cluster !== undefined;
  const [health, workers, oldCalls, failures, dead, durable, cluster] = await Promise.all([
    client.ask<{ readonly status: string }>("GET", "/healthz").then(({ status }) => status),
    readList<WorkerRow>(client, "/v1/workers", {}, { limit: most.workers }).then(({ rows }) => rows),
    readList<CallRow>(client, "/v1/calls", { minAgeMs: oldCallMs }, { limit: most.calls }).then(({ rows }) => rows),
    client.ask<FailurePage>("GET", "/v1/failures", { limit: most.failures }).then(({ rows }) => rows),
    readList<DeadRow>(client, "/v1/dead", {}, { limit: most.deadLetters }),
    readList<SubscriptionRow>(client, "/v1/subscriptions", {}, { limit: most.durable }).then(({ rows }) => rows),
    isClustered
      ? client.ask<ClusterAnswer>("GET", "/v1/cluster", {}, { timeoutMs: clusterTimeoutMs })
      : Promise.resolve(undefined),
  ]);
  await waited;
  const after = await counters();
  return {
    ...{
      host,
      health,
      nowMs: Date.parse(host.now),
      settings,
      counters: after,
      workers,
      oldCalls,
      failures,
      durable,
      cluster,
    },
    ...{ deadLetters: dead.rows, hasMoreDeadLetters: dead.next !== null },
    rates: ratesOf(before, after, performance.now() - beganMs),
  };
}

/** Returns how fast counters have grown. */
export function ratesOf(before: Counters, after: Counters, ms: number): Rates {
  const rate = (name: keyof Counters): number => (Math.max(0, after[name] - before[name]) * 1_000) / Math.max(1, ms);
  return {
    sampleMs: Math.round(ms),
    ...{ calls: rate("calls"), answers: rate("answers"), failedCalls: rate("failedCalls") },
    ...{ events: rate("events"), deliveries: rate("deliveredEvents"), commits: rate("commits") },
  };
}

/** Makes the report of what was found. */
export function reportOf(found: HostFindings, warnings: readonly string[]): HostReport {
  const { host, health, counters, rates, cluster } = found;
  const workers = found.workers.filter((worker) => (worker.host?.hostId ?? null) === host.hostId);
  return {
    ...{ host, health, uptimeMs: Math.max(0, found.nowMs - Date.parse(host.startedAt)) },
    workers: {
      total: workers.length,
      stock: workers.filter(({ isTroupe }) => !isTroupe).length,
      draining: workers.filter(({ isDraining }) => isDraining).length,
    },
    ...{ agentTypes: counters.agentTypes, subscriptions: counters.subscriptions, agents: counters.claims, rates },
    queues: {
      ...{ pendingCalls: counters.pendingCalls, queuedFrames: counters.queuedFrames },
      ...{ queuedBytes: counters.queuedBytes, heldBytes: counters.heldBytes, maxHeldBytes: maxHeldBytesOf(found) },
      heldMessages: counters.heldMessages,
    },
    kept: { deadLetters: found.deadLetters.length, hasMoreDeadLetters: found.hasMoreDeadLetters },
    cluster:
      cluster === undefined
        ? null
        : {
            ...{ name: cluster.name, hosts: cluster.hosts.length, problems: cluster.problems },
            ...{ workers: sumOf(cluster, "workers"), calls: sumOf(cluster, "calls"), agents: sumOf(cluster, "agents") },
            natsServers: (cluster.store?.servers ?? []).map(({ address, problem }) =>
              problem === null ? address : `${address} (no answer)`,
            ),
          },
    warnings,
  };
}

function sumOf({ hosts }: ClusterAnswer, name: "workers" | "calls" | "agents"): number {
  return hosts.reduce((sum, { status }) => sum + (status?.[name] ?? 0), 0);
}

const mebibyte = 1_024 * 1_024;
/** Bytes that may wait for one worker, if the host has no other setting. */
export const usualQueuedBytes = 32 * mebibyte;

/** The bytes that the host may keep for all its clients. */
export function maxHeldBytesOf({ settings, cluster, host }: HostFindings): number {
  const own = cluster?.hosts.find(({ isAsked, name }) => isAsked || name === host.name)?.status?.maxHeldBytes;
  const { maxMemoryBytes, maxQueuedBytes } = settings;
  if (own !== undefined) return own;
  if (typeof maxMemoryBytes === "number") return maxMemoryBytes;
  return Math.max(512 * mebibyte, typeof maxQueuedBytes === "number" ? 4 * maxQueuedBytes : 0);
}
