import { type Clock, loggableText, type RuntimeLog, TroupeError } from "../core/internal.ts";
import {
  type ApiAnswer,
  type ApiError,
  type Fields,
  isCount,
  isFields,
  isTextIfAny,
  streamNotFound,
} from "./api-answer.ts";
import type { NatsClient } from "./nats-client.ts";
import { atLeast, clusteredVersion, oldestVersion, recommendedVersion } from "./server-version.ts";

/** Milliseconds between two tries while the servers have no leader. */
const retryMs = 250;
const nameInUse = 10_058;
const notEnabled: readonly number[] = [10_076, 10_039];
/** Limits of the servers, and of the account, on what streams may reserve. */
const noStorage: readonly number[] = [10_047, 10_028, 10_023, 10_005];
/** A stream that may reserve less is not made. */
const leastBytes = 16 * 1024 * 1024;

export const nanosPerMs = 1_000_000;

/** The settings of a stream as the server tells them. */
export interface StreamConfig {
  readonly num_replicas: number;
  readonly storage: string;
  readonly retention: string;
  readonly discard: string;
  readonly discard_new_per_subject?: boolean;
  readonly max_msgs_per_subject: number;
  readonly max_age: number;
  readonly max_bytes: number;
  readonly allow_direct?: boolean;
  readonly subjects?: readonly string[];
}

/** A stream that is to be found, or made. */
export interface WantedStream {
  readonly stream: string;
  readonly subjects: readonly string[];
  /** The settings of a new one, besides subjects, storage and copies. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Returns the place of the first message of a new one. Default: 1. Servers before 2.10 always begin with 1. */
  readonly firstPlace?: (() => number) | undefined;
  /** Bytes that it keeps at most. Where the servers have less space, it is made with less. Default: no bound. */
  readonly maxBytes?: number | undefined;
  /** Whether a stream that was found is one of this kind, besides its subjects. */
  readonly isOurs: (config: StreamConfig) => boolean;
  /** Copies that it is made with; afterwards those that it has. */
  replicas: number;
  /** When it was made, as the servers say. Another stream of this name has another time. */
  created?: string | undefined;
}

/** An answer that describes a stream. */
interface StreamInfo {
  readonly config: StreamConfig;
  readonly created?: string;
}

/** The parts of `openStream`. */
export interface StreamParts {
  readonly client: NatsClient;
  /** The option. Undefined: as many as the servers can have. */
  readonly replicas: number | undefined;
  /** Milliseconds, of `clock`. */
  readonly untilMs: number;
  readonly clock: Clock;
  readonly log: RuntimeLog;
}

/** Returns how many copies a new stream has. Throws a `TroupeError` for servers that are too old. */
export function replicasFor({ client, replicas }: Pick<StreamParts, "client" | "replicas">): number {
  if (!atLeast(client.serverVersion, oldestVersion)) {
    const text = `nats-server ${loggableText(client.serverVersion)} is too old: run ${recommendedVersion} or newer.`;
    throw new TroupeError("wrong-state", text);
  }
  return replicas ?? (client.isClustered ? 3 : 1);
}

/**
 * Finds a stream, or makes it. `made`: also if another host has made it since it was found here. Rejects with a `TroupeError` that says what to
 * do.
 */
export async function openStream(parts: StreamParts, wanted: WantedStream): Promise<"found" | "made"> {
  const found = await retried(parts, () =>
    parts.client.ask<StreamInfo>(`STREAM.INFO.${wanted.stream}`, undefined, hasConfig),
  );
  if ("value" in found) {
    const { config, created } = found.value;
    const isAnother = wanted.created !== undefined && wanted.created !== created;
    use(parts, wanted, config);
    wanted.created = created;
    return isAnother ? "made" : "found";
  }
  if (found.error.err_code !== streamNotFound) throw refusal(found.error);
  assertCanReplicate(parts, wanted.replicas);
  return await make(parts, wanted, wanted.maxBytes);
}

async function make(parts: StreamParts, wanted: WantedStream, maxBytes: number | undefined): Promise<"found" | "made"> {
  const { stream, subjects, settings, replicas, firstPlace } = wanted;
  const made = await retried(parts, () =>
    parts.client.ask<StreamInfo>(
      `STREAM.CREATE.${stream}`,
      {
        ...{ name: stream, subjects, ...settings, storage: "file", num_replicas: replicas },
        ...(maxBytes === undefined ? {} : { max_bytes: maxBytes }),
        ...(firstPlace === undefined ? {} : { first_seq: firstPlace() }),
      },
      hasConfig,
    ),
  );
  if ("value" in made) {
    if (maxBytes !== wanted.maxBytes)
      parts.log.warn("NATS has less space for a stream of the cluster than it should have", {
        ...{ stream, bytes: maxBytes, wanted: wanted.maxBytes },
        advice: "give the servers more space for files (max_file_store), then: nats stream edit --max-bytes",
      });
    use(parts, wanted, made.value.config);
    wanted.created = made.value.created;
    return "made";
  }
  const { err_code: code = 0 } = made.error;
  // Another host was first, with other settings.
  if (code === nameInUse) return openStream(parts, wanted);
  if (noStorage.includes(code) && maxBytes !== undefined && maxBytes >= 2 * leastBytes)
    return make(parts, wanted, Math.floor(maxBytes / 2));
  throw refusal(made.error);
}

/** Uses a stream as it was found. */
function use({ client, log, replicas }: StreamParts, wanted: WantedStream, config: StreamConfig): void {
  const { stream, subjects } = wanted;
  const hasSubjects =
    config.subjects?.length === subjects.length && subjects.every((each, at) => config.subjects?.[at] === each);
  if (!hasSubjects || !wanted.isOurs(config)) {
    const text = `The stream ${stream} in NATS was not made by Troupe, or was changed since. Delete it while no host runs, or set another clusterName.`;
    throw new TroupeError("wrong-state", text);
  }
  assertCanReplicate({ client }, config.num_replicas);
  if (replicas !== undefined && replicas !== config.num_replicas) {
    log.warn("NATS keeps another number of copies than the option replicas says", {
      ...{ stream, copies: config.num_replicas, replicas },
      advice: `nats stream edit ${stream} --replicas ${replicas}`,
    });
  }
  wanted.replicas = config.num_replicas;
  if (client.isClustered && config.num_replicas < 3) {
    log.warn("NATS keeps entries of the cluster on fewer than three servers, so that one may take them with it", {
      ...{ stream, copies: config.num_replicas },
      advice: `nats stream edit ${stream} --replicas 3`,
    });
  }
  if (config.storage !== "file") {
    log.warn("NATS keeps entries of the cluster in memory, so that a restart of its servers loses them", {
      ...{ stream, storage: config.storage },
      advice: "stop all hosts, delete the stream and start them again",
    });
  }
}

/**
 * Servers below 2.11 let several writers win on one revision after a change of the leader. One server alone does not.
 */
function assertCanReplicate({ client }: Pick<StreamParts, "client">, replicas: number): void {
  if (replicas === 1 || atLeast(client.serverVersion, clusteredVersion)) return;
  const version = loggableText(client.serverVersion);
  const text = `nats-server ${version} can't keep the entries of a cluster on several servers: it lets two hosts win one race after its leader has changed. Run ${recommendedVersion} or newer, or one server alone with replicas: 1.`;
  throw new TroupeError("wrong-state", text);
}

function hasConfig({ config, created }: Fields): boolean {
  return isFields(config) && isCount(config.num_replicas) && isTextIfAny(created);
}

/** Asks until there is an answer. A cluster of servers has no leader for some seconds after its start. */
async function retried<T>(
  { client, clock, untilMs }: StreamParts,
  ask: () => Promise<ApiAnswer<T>>,
): Promise<Exclude<ApiAnswer<T>, undefined>> {
  for (;;) {
    const answer = await ask();
    const isTemporary = answer === undefined || ("error" in answer && answer.error.code === 503);
    if (!isTemporary && answer !== undefined) return answer;
    const isRefused = answer !== undefined && "error" in answer && isNotEnabled(answer.error);
    if (client.isClosed || clock.now() >= untilMs || isRefused) {
      const why = answer !== undefined && "error" in answer ? `: ${loggableText(answer.error.description ?? "")}` : "";
      const text = `JetStream of NATS does not answer${why}. Start the servers with JetStream (nats-server --jetstream), and see that most of them run and that the account may use it.`;
      throw new TroupeError(client.isConnected ? "wrong-state" : "disconnected", text);
    }
    await client.pause(retryMs);
  }
}

function isNotEnabled({ err_code = 0 }: ApiError): boolean {
  return notEnabled.includes(err_code);
}

function refusal({ description = "no reason", err_code = 0 }: ApiError): TroupeError {
  const text = `NATS does not make a stream for the cluster: ${loggableText(description)} (error ${err_code}). Three copies need three servers with JetStream and room for files; with one server set replicas: 1.`;
  return new TroupeError("wrong-state", text);
}
