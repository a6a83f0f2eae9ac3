import type { CoordinationReport, CoordinationStream } from "../../cluster/internal.ts";
import { type Clock, LimitedLog, systemClock } from "../../core/internal.ts";
import type { ApiAnswer } from "../api-answer.ts";
import { noLogger } from "../connect-nats.ts";
import { loadNats, type NatsModule } from "../driver.ts";
import type { NatsClient } from "../nats-client.ts";
import { assertStoreOptions, type NatsStoreOptions, readServers } from "../nats-options.ts";
import { nanosPerMs, type StreamConfig } from "../open-stream.ts";
import { type ProbedServer, probeServer, shown } from "./server-probe.ts";

const streamNotFound = 10_059;
/** Servers and copies of one report. */
const mostServers = 32;
const mostCopies = 16;

/** The streams of a cluster, and what they are for. */
export function streamsOf(clusterName: string): readonly Pick<CoordinationStream, "stream" | "use">[] {
  return [
    { stream: `KV_troupe_${clusterName}_ctl`, use: "hosts, workers and types" },
    { stream: `KV_troupe_${clusterName}_claims_0`, use: "claims" },
    { stream: `TROUPE_${clusterName}_MAIL_0`, use: "mail" },
    { stream: `TROUPE_${clusterName}_DEAD`, use: "dead letters" },
  ];
}

/** Asks each NATS server of a cluster for its state, and one of them for the streams. Makes nothing. Rejects with `invalid-argument` alone. */
export async function inspectNats(
  servers: string | readonly string[],
  options: NatsStoreOptions,
  load: () => Promise<NatsModule> = loadNats,
): Promise<CoordinationReport> {
  assertStoreOptions(options);
  return withServers(servers, options, load, async (probed, clusterName) => {
    const client = bestOf(probed)?.client;
    const reports = probed.map(({ report }) => report);
    if (client === undefined) return { servers: reports, streams: [], clockAheadMs: null };
    const read = await readStreams(client, clusterName, options.clock ?? systemClock);
    return { servers: reports, ...read };
  });
}

/** Connects to each server, and closes all connections at the end. */
export async function withServers<T>(
  servers: string | readonly string[],
  options: NatsStoreOptions,
  load: () => Promise<NatsModule>,
  use: (probed: readonly ProbedServer[], clusterName: string) => Promise<T>,
): Promise<T> {
  const found = readServers(servers);
  const { clusterName = "troupe", clock = systemClock } = options;
  const module = await load();
  const log = new LimitedLog(options.logger ?? noLogger, clock);
  const parts = { module, servers: found, options, clusterName, clock, log };
  const probed = await Promise.all(found.addresses.slice(0, mostServers).map((address) => probeServer(parts, address)));
  try {
    return await use(probed, clusterName);
  } finally {
    await Promise.all(probed.map(({ client }) => client?.close()));
    log.flush();
  }
}

/** A server that answers, and one with JetStream if there is one. */
export function bestOf(probed: readonly ProbedServer[]): ProbedServer | undefined {
  const usable = probed.filter(({ report, client }) => report.problem === null && client !== undefined);
  return usable.find(({ report }) => report.hasJetStream) ?? usable[0];
}

/** The parts of `$JS.API.STREAM.INFO` that are read. A server may leave out any of them. */
interface StreamInfo {
  readonly config?: Partial<StreamConfig>;
  readonly state?: { readonly messages?: unknown; readonly bytes?: unknown };
  readonly cluster?: { readonly leader?: unknown; readonly replicas?: unknown };
  readonly ts?: unknown;
}

export async function readStreams(
  client: NatsClient,
  clusterName: string,
  clock: Clock,
): Promise<Pick<CoordinationReport, "streams" | "clockAheadMs">> {
  const wanted = streamsOf(clusterName);
  const beganMs = clock.wallNow();
  const answers = await Promise.all(
    wanted.map(async (one) => {
      const answer = await client.ask<StreamInfo>(`STREAM.INFO.${one.stream}`, undefined);
      return { one, answer, atMs: (beganMs + clock.wallNow()) / 2 };
    }),
  );
  const ahead = answers.map(({ answer, atMs }) => aheadMs(answer, atMs)).find((ms) => ms !== null) ?? null;
  return { streams: answers.map(({ one, answer }) => streamOf(one, answer)), clockAheadMs: ahead };
}

function streamOf(one: Pick<CoordinationStream, "stream" | "use">, answer: ApiAnswer<StreamInfo>): CoordinationStream {
  const nothing = { messages: 0, bytes: 0, maxBytes: null, copies: 0, storage: "", leader: null, followers: [] };
  if (answer === undefined)
    return {
      ...one,
      ...nothing,
      state: "unknown",
      problem: "JetStream does not answer, or this login may not ask it.",
    };
  if ("error" in answer) {
    const isMissing = answer.error.err_code === streamNotFound;
    const problem = isMissing ? null : shown(answer.error.description ?? "JetStream refuses to tell.");
    return { ...one, ...nothing, state: isMissing ? "missing" : "unknown", problem };
  }
  const { cluster } = answer.value;
  const config = answer.value.config ?? {};
  const state = answer.value.state ?? {};
  const most = countOf(config.max_bytes);
  const leader = shown(cluster?.leader);
  const copies = countOf(config.num_replicas);
  return {
    ...{ ...one, state: "there", messages: countOf(state.messages), bytes: countOf(state.bytes) },
    ...{ maxBytes: most > 0 ? most : null, copies, storage: shown(config.storage) },
    ...{ leader: leader === "" ? null : leader, followers: followersIn(cluster?.replicas) },
    problem: copies > 1 && leader === "" ? "It has no leader now." : null,
  };
}

function followersIn(replicas: unknown): CoordinationStream["followers"] {
  if (!Array.isArray(replicas)) return [];
  return replicas.slice(0, mostCopies).flatMap((each: unknown) => {
    if (typeof each !== "object" || each === null) return [];
    const fields = new Map(Object.entries(each));
    return {
      ...{ server: shown(fields.get("name")), isCurrent: fields.get("current") === true },
      ...{ isOffline: fields.get("offline") === true, lag: countOf(fields.get("lag")) },
      silentMs: Math.round(countOf(fields.get("active")) / nanosPerMs),
    };
  });
}

/** Servers from 2.10 on say when they have answered. */
function aheadMs(answer: ApiAnswer<StreamInfo>, atMs: number): number | null {
  if (answer === undefined || "error" in answer || typeof answer.value.ts !== "string") return null;
  const saidMs = Date.parse(answer.value.ts);
  return Number.isFinite(saidMs) ? Math.round(saidMs - atMs) : null;
}

function countOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : 0;
}
