import type { CoordinationReport, CoordinationStream } from "../cluster/internal.ts";
import { loggableText } from "../core/internal.ts";
import type { ClusterHost, ClusterReport } from "../host/internal.ts";

/** A cluster as its operator sees it, with the servers of its store. */
export interface SeenCluster extends ClusterReport {
  readonly store: CoordinationReport | null;
  readonly storeProblem: string | null;
}

/** A host whose lease is not renewed for this part of it is said to be late: it renews five times in a lease. */
const lateShare = 0.5;
/** A copy that lacks what came in this time holds up writes when its leader is lost. */
const mostSilentMs = 10_000;
/** Of a bound, as a part. */
const nearlyFull = 0.9;
/** Clocks of machines that differ more are set wrong. */
const mostClockMs = 5_000;

/** Says what is wrong in a cluster, and what to do. */
export function clusterProblems(cluster: SeenCluster): readonly string[] {
  return [
    ...cluster.hosts.flatMap((host) => problemsOf(host)),
    ...linkProblems(cluster.hosts),
    ...protocolProblems(cluster.hosts),
    ...shardProblems(cluster),
    ...storeProblems(cluster),
  ];
}

function problemsOf(host: ClusterHost): readonly string[] {
  const { leaseAgeMs, leaseMs, status, problem } = host;
  const name = nameOf(host);
  const found: string[] = [];
  if (leaseAgeMs > lateShare * leaseMs)
    found.push(
      `${name} has not renewed its lease for ${seconds(leaseAgeMs)} of ${seconds(leaseMs)}. It hangs, or it has lost NATS: look at its log.`,
    );
  if (problem !== null) found.push(`${name} does not tell its state: ${loggableText(problem)}`);
  if (status === null) return found;
  if (!status.isServing)
    found.push(`${name} is isolated: it has no lease, and hands nothing to workers. See that it reaches NATS.`);
  if (status.heldBytes > nearlyFull * status.maxHeldBytes)
    found.push(`${name} keeps nearly as many bytes as it may. Raise --max-memory-bytes, or add a host.`);
  const { storeRegressions = 0, droppedPeerEvents = 0 } = status.counters;
  if (storeRegressions > 0)
    found.push(
      `${name} has found that NATS had forgotten writes (${storeRegressions} times). Set sync_interval: always, and keep three copies.`,
    );
  if (droppedPeerEvents > 0)
    found.push(
      `${name} has dropped ${droppedPeerEvents} events for other hosts, since their queues were full. Raise --max-peer-queued-bytes, or look at the network.`,
    );
  return found;
}

/** A pair of hosts has two links. */
function linkProblems(hosts: readonly ClusterHost[]): readonly string[] {
  return hosts.flatMap((from) => {
    const { status } = from;
    if (status === null) return [];
    return hosts.flatMap((to) => {
      if (to === from || status.links.some(({ hostId, isOpen }) => hostId === to.hostId && isOpen)) return [];
      return `${nameOf(from)} has no link to ${nameOf(to)}. See that it reaches ${loggableText(to.peerAddress)}; its log says why it does not.`;
    });
  });
}

// protocol.md §12.1
/** Says which hosts speak older versions of the protocol between hosts than others. */
export function protocolProblems(hosts: readonly ClusterHost[]): readonly string[] {
  const newest = Math.max(...hosts.map(({ status }) => status?.protocol?.newest ?? 0));
  const older = hosts.flatMap((host) => {
    const { status } = host;
    if (!status?.protocol || status.protocol.newest >= newest) return [];
    return { host, status, canLink: hosts.every((other) => speakTogether(status.protocol, other.status?.protocol)) };
  });
  return older.map(({ host, status, canLink }) => {
    const which = `${nameOf(host)}, version ${status.version ?? "unknown"}, speaks the protocol between hosts up to version ${status.protocol?.newest}, and others up to ${newest}.`;
    return canLink
      ? `${which} The hosts use the older one with it. Upgrade it to end the upgrade of the cluster.`
      : `${which} Some of them can't work with it. Upgrade it in steps: hosts of two versions that follow each other work together.`;
  });
}

type Spoken = NonNullable<ClusterHost["status"]>["protocol"];

function speakTogether(one: Spoken, other: Spoken | undefined): boolean {
  if (!one || !other) return true;
  return one.newest >= other.oldest && one.oldest <= other.newest;
}

function shardProblems({ shards, hosts }: ClusterReport): readonly string[] {
  if (shards === null) return [];
  const up = new Set(hosts.map(({ hostId }) => hostId));
  const read = shards.owners.filter(({ hostId }) => up.has(hostId)).length;
  if (read >= shards.count) return [];
  return [
    `No host reads ${shards.count - read} of the ${shards.count} shards of the mail. After a change of hosts that is so for some seconds; if it stays, look at the logs.`,
  ];
}

function storeProblems({ store, storeProblem }: SeenCluster): readonly string[] {
  if (storeProblem !== null) return [`The servers of the cluster's store can't be asked: ${storeProblem}`];
  if (store === null) return [];
  const ahead = store.clockAheadMs ?? 0;
  return [
    ...store.servers.flatMap(({ address, problem }) =>
      problem === null ? [] : [`The NATS server ${address} can't be used: ${problem}`],
    ),
    ...store.streams.flatMap((stream) => streamProblems(stream, store)),
    ...(Math.abs(ahead) > mostClockMs
      ? [`The clocks of this machine and of NATS differ by ${seconds(Math.abs(ahead))}. Set both by NTP.`]
      : []),
  ];
}

/** Says what is wrong with a stream in NATS, and what to do. */
export function streamProblems(
  { stream, use, state, problem, copies, storage, bytes, maxBytes, followers }: CoordinationStream,
  { servers }: Pick<CoordinationReport, "servers">,
): readonly string[] {
  const which = `The stream ${stream} (${use})`;
  if (state === "missing") return [`${which} is missing. A host makes it when it starts.`];
  if (state === "unknown")
    return [`The state of the stream ${stream} (${use}) is not known: ${problem ?? "no answer."}`];
  const found: string[] = [];
  if (problem !== null) found.push(`${which}: ${problem} Most of its servers must run.`);
  if (servers.some(({ isClustered }) => isClustered) && copies < 3)
    found.push(`${which} has ${copies} of 3 copies: nats stream edit ${stream} --replicas 3`);
  if (storage !== "file")
    found.push(`${which} is in memory, so that a restart of NATS loses it. Delete it while no host runs.`);
  if (maxBytes !== null && bytes > nearlyFull * maxBytes)
    found.push(`${which} is nearly full. Look at troupe dead list, or raise: nats stream edit ${stream} --max-bytes`);
  for (const { server, isOffline, isCurrent, lag, silentMs } of followers) {
    if (isOffline) found.push(`${which}: its copy at ${server} is offline. Start that server.`);
    else if (!isCurrent || silentMs > mostSilentMs)
      found.push(`${which}: its copy at ${server} lacks ${lag} writes. Look at that server.`);
  }
  return found;
}

function nameOf({ name, hostId }: Pick<ClusterHost, "name" | "hostId">): string {
  return name === "" ? `Host ${loggableText(hostId)}` : `Host ${loggableText(name)} (${loggableText(hostId)})`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
