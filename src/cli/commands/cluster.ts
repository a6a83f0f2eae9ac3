import { Command } from "commander";
import type { ClusterAnswer } from "../../admin/internal.ts";
import type { CoordinationReport } from "../../cluster/internal.ts";
import { loggableText } from "../../core/internal.ts";
import { addHostChoice, findHost, type HostChoice } from "../admin/find-host.ts";
import { counted, type PrintFlags, print } from "../printing.ts";
import { formatTable } from "../table.ts";
import { textOfHosts } from "./hosts.ts";

/** Milliseconds that a host has to gather its cluster: it asks the other hosts and NATS, which may be away. */
const timeoutMs = 30_000;

/** The command `troupe cluster`. */
export function clusterCommand(): Command {
  return addHostChoice(
    new Command("cluster")
      .description("Show the cluster of a host: hosts, links, shards of the mail, NATS, and what is wrong")
      .option("--json", "print JSON", false),
  ).action(async (flags: PrintFlags & HostChoice) => {
    const client = await findHost(flags);
    print(flags, await client.ask<ClusterAnswer>("GET", "/v1/cluster", {}, { timeoutMs }), textOfCluster);
  });
}

/** Formats a cluster: tables, and what is wrong at the end. */
export function textOfCluster(cluster: ClusterAnswer): string {
  const { name, generation, leaseMs, workerLeaseMs, hosts, deadHosts, store, problems } = cluster;
  const leases = `leases of ${leaseMs / 1_000} s, of workers ${workerLeaseMs / 1_000} s`;
  const dead = deadHosts === 0 ? "" : `, ${deadHosts} left or dead in the last 48 h`;
  return [
    `cluster ${loggableText(name)}: ${counted(hosts.length, "host")}${dead}; generation ${generation}; ${leases}`,
    textOfHosts(hosts),
    textOfLinks(cluster),
    textOfShards(cluster),
    ...(store === null ? [] : textOfStore(store)),
    problems.length === 0 ? "nothing is wrong" : ["wrong:", ...problems.map((text) => `- ${text}`)].join("\n"),
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

function textOfLinks({ hosts }: ClusterAnswer): string {
  const nameOf = namesOf(hosts);
  const rows = hosts.flatMap((from) =>
    (from.status?.links ?? []).map((link) => [
      ...[nameOf(from.hostId), nameOf(link.hostId), link.isOpen ? "open" : "closed", link.queuedFrames],
      ...[link.queuedBytes, link.droppedEvents],
      link.roundTripMs === null ? "-" : `${link.roundTripMs.toFixed(1)} ms`,
    ]),
  );
  if (rows.length === 0) return "";
  return formatTable(["from", "to", "link", "queued", "bytes", "dropped events", "round trip"], rows);
}

function textOfShards({ shards, hosts }: ClusterAnswer): string {
  if (shards === null) return "no mail: this host has no log";
  const nameOf = namesOf(hosts);
  const byHost = new Map<string, number[]>();
  for (const { shard, hostId } of shards.owners) byHost.set(hostId, [...(byHost.get(hostId) ?? []), shard]);
  const rows = [...byHost].map(([hostId, owned]) => [nameOf(hostId), owned.length, owned.join(",")]);
  const owned = new Set(shards.owners.map(({ shard }) => shard));
  const free = Array.from({ length: shards.count }, (_, shard) => shard).filter((shard) => !owned.has(shard));
  if (free.length > 0) rows.push(["nobody", free.length, free.join(",")]);
  return formatTable(["reads mail", "shards", "which"], rows);
}

function textOfStore({ servers, streams }: CoordinationReport): readonly string[] {
  const ofServers = formatTable(
    ["NATS server", "name", "version", "clustered", "JetStream", "round trip"],
    servers.map(({ address, name, version, isClustered, hasJetStream, roundTripMs, problem }) =>
      problem === null
        ? [
            ...[address, name, version, isClustered ? "yes" : "no", hasJetStream ? "yes" : "no"],
            roundTripMs === null ? "-" : `${roundTripMs.toFixed(1)} ms`,
          ]
        : [address, "-", "-", "-", "-", "no answer"],
    ),
  );
  if (streams.length === 0) return [ofServers];
  const ofStreams = formatTable(
    ["stream", "keeps", "state", "messages", "bytes", "copies", "leader", "followers"],
    streams.map(({ stream, use, state, messages, bytes, copies, leader, followers }) => [
      ...[stream, use, state, messages, bytes, copies, leader ?? "-"],
      followers.length === 0
        ? "-"
        : followers
            .map(({ server, isOffline, isCurrent, lag }) => {
              if (isOffline) return `${server} offline`;
              return isCurrent ? server : `${server} lags by ${lag}`;
            })
            .join(", "),
    ]),
  );
  return [ofServers, ofStreams];
}

function namesOf(hosts: ClusterAnswer["hosts"]): (hostId: string) => string {
  const names = new Map(hosts.map(({ hostId, name }) => [hostId, name]));
  const isOnce = (name: string): boolean => hosts.filter((host) => host.name === name).length === 1;
  return (hostId) => {
    const name = names.get(hostId) ?? "";
    return name !== "" && isOnce(name) ? name : hostId;
  };
}
