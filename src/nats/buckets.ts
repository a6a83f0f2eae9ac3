import { claimKeyPrefix, claimLifeMs } from "../cluster/index.ts";
import { type Clock, loggableText, type RuntimeLog, TroupeError } from "../core/internal.ts";
import type { ApiAnswer, ApiError, NatsClient } from "./nats-client.ts";
import { atLeast, clusteredVersion, oldestVersion, recommendedVersion } from "./server-version.ts";

/** Milliseconds between two tries while the servers have no leader. */
const retryMs = 250;
const nanosPerMs = 1_000_000;
/** Two minutes: the server takes no window that is longer than the life of the entries. */
const duplicateWindowMs = 120_000;
const streamNotFound = 10_059;
const nameInUse = 10_058;
const notEnabled: readonly number[] = [10_076, 10_039];

interface StreamConfig {
  readonly num_replicas: number;
  readonly storage: string;
  readonly max_msgs_per_subject: number;
  readonly max_age: number;
  readonly allow_direct?: boolean;
  readonly subjects?: readonly string[];
}

interface StreamInfo {
  readonly config: StreamConfig;
}

/** One of the two streams of a cluster that keep entries, as NATS' key-value buckets do: one message for each key. */
export interface Bucket {
  readonly stream: string;
  /** The subject of a key without the key. */
  readonly subjectPrefix: string;
  readonly maxAgeMs: number;
  replicas: number;
}

/** The buckets of a cluster. */
export interface Buckets {
  /** Claims, which expire. */
  readonly claims: Bucket;
  /** Everything else. */
  readonly control: Bucket;
}

/** Returns the bucket of a key, or of all keys with a prefix. */
export function bucketOf({ claims, control }: Buckets, key: string): Bucket {
  return key.startsWith(claimKeyPrefix) ? claims : control;
}

/** The parts of `openBuckets`. */
export interface BucketParts {
  readonly client: NatsClient;
  readonly clusterName: string;
  /** Undefined: as many as the servers can have. */
  readonly replicas: number | undefined;
  /** Milliseconds, of `clock`. */
  readonly untilMs: number;
  readonly clock: Clock;
  readonly log: RuntimeLog;
  readonly claimLifeMs?: number | undefined;
}

/** Finds the buckets of a cluster, or makes them. Rejects with a `TroupeError` that says what to do. */
export async function openBuckets(parts: BucketParts): Promise<Buckets> {
  const { client, clusterName } = parts;
  const wanted = parts.replicas ?? (client.isClustered ? 3 : 1);
  if (!atLeast(client.serverVersion, oldestVersion)) {
    const text = `nats-server ${loggableText(client.serverVersion)} is too old: run ${recommendedVersion} or newer.`;
    throw new TroupeError("wrong-state", text);
  }
  const control = bucket(`troupe_${clusterName}_ctl`, 0, wanted);
  const claims = bucket(`troupe_${clusterName}_claims_0`, parts.claimLifeMs ?? claimLifeMs, wanted);
  await openBucket(parts, control);
  await openBucket(parts, claims);
  return { control, claims };
}

function bucket(name: string, maxAgeMs: number, replicas: number): Bucket {
  return { stream: `KV_${name}`, subjectPrefix: `$KV.${name}.`, maxAgeMs, replicas };
}

/**
 * Makes the streams again that the servers no longer have. They have lost the files, or an operator has deleted the streams. Resolves to
 * whether one was missing.
 */
export async function restoreBuckets(parts: BucketParts, { control, claims }: Buckets): Promise<boolean> {
  const made = [await openBucket(parts, control), await openBucket(parts, claims)];
  return made.includes("made");
}

async function openBucket(parts: BucketParts, bucket: Bucket): Promise<"found" | "made"> {
  const found = await retried(parts, () => parts.client.ask<StreamInfo>(`STREAM.INFO.${bucket.stream}`, undefined));
  if ("value" in found) {
    take(parts, bucket, found.value.config);
    return "found";
  }
  if (found.error.err_code !== streamNotFound) throw refusal(found.error);
  assertCanReplicate(parts, bucket.replicas);
  const made = await retried(parts, () =>
    parts.client.ask<StreamInfo>(`STREAM.CREATE.${bucket.stream}`, {
      name: bucket.stream,
      subjects: [`${bucket.subjectPrefix}>`],
      ...{ retention: "limits", storage: "file", discard: "new" },
      ...{ num_replicas: bucket.replicas, max_msgs_per_subject: 1 },
      max_age: bucket.maxAgeMs * nanosPerMs,
      duplicate_window: Math.min(duplicateWindowMs, bucket.maxAgeMs || duplicateWindowMs) * nanosPerMs,
      ...{ allow_direct: true, allow_rollup_hdrs: true, deny_delete: true },
    }),
  );
  if ("value" in made) {
    take(parts, bucket, made.value.config);
    return "made";
  }
  // Another host was first, with other settings.
  if (made.error.err_code === nameInUse) return openBucket(parts, bucket);
  throw refusal(made.error);
}

/** Uses a stream as it was found. */
function take({ client, log, ...parts }: BucketParts, bucket: Bucket, config: StreamConfig): void {
  const { stream } = bucket;
  const isOurs =
    config.max_msgs_per_subject === 1 &&
    config.allow_direct === true &&
    config.max_age === bucket.maxAgeMs * nanosPerMs &&
    config.subjects?.length === 1 &&
    config.subjects[0] === `${bucket.subjectPrefix}>`;
  if (!isOurs) {
    const text = `The stream ${stream} in NATS was not made by Troupe, or was changed since. Delete it while no host runs, or set another clusterName.`;
    throw new TroupeError("wrong-state", text);
  }
  assertCanReplicate({ client }, config.num_replicas);
  if (parts.replicas !== undefined && parts.replicas !== config.num_replicas) {
    log.warn("NATS keeps another number of copies than the option replicas says", {
      ...{ stream, copies: config.num_replicas, replicas: parts.replicas },
      advice: `nats stream edit ${stream} --replicas ${parts.replicas}`,
    });
  }
  bucket.replicas = config.num_replicas;
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
function assertCanReplicate({ client }: Pick<BucketParts, "client">, replicas: number): void {
  if (replicas === 1 || atLeast(client.serverVersion, clusteredVersion)) return;
  const version = loggableText(client.serverVersion);
  const text = `nats-server ${version} can't keep the entries of a cluster on several servers: it lets two hosts win one race after its leader has changed. Run ${recommendedVersion} or newer, or one server alone with replicas: 1.`;
  throw new TroupeError("wrong-state", text);
}

/** Asks until there is an answer. A cluster of servers has no leader for some seconds after its start. */
async function retried<T>(
  { client, clock, untilMs }: BucketParts,
  ask: () => Promise<ApiAnswer<T>>,
): Promise<Exclude<ApiAnswer<T>, undefined>> {
  for (;;) {
    const answer = await ask();
    const isTemporary = answer === undefined || ("error" in answer && answer.error.code === 503);
    if (!isTemporary && answer !== undefined) return answer;
    if (
      client.isClosed ||
      clock.now() >= untilMs ||
      (answer !== undefined && "error" in answer && isNotEnabled(answer.error))
    ) {
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
