import { claimKeyPrefix, claimLifeMs } from "../cluster/index.ts";
import {
  nanosPerMs,
  openStream,
  replicasFor,
  type StreamConfig,
  type StreamParts,
  type WantedStream,
} from "./open-stream.ts";

/** Two minutes: the server takes no window that is longer than the life of the entries. */
const duplicateWindowMs = 120_000;

/** One of the two streams of a cluster that keep entries, as NATS' key-value buckets do: one message for each key. */
export interface Bucket extends WantedStream {
  /** The subject of a key without the key. */
  readonly subjectPrefix: string;
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
export interface BucketParts extends StreamParts {
  readonly clusterName: string;
  readonly claimLifeMs?: number | undefined;
}

/** Finds the buckets of a cluster, or makes them. Rejects with a `TroupeError` that says what to do. */
export async function openBuckets(parts: BucketParts): Promise<Buckets> {
  const { clusterName } = parts;
  const replicas = replicasFor(parts);
  const control = bucket(`troupe_${clusterName}_ctl`, 0, replicas);
  const claims = bucket(`troupe_${clusterName}_claims_0`, parts.claimLifeMs ?? claimLifeMs, replicas);
  await openStream(parts, control);
  await openStream(parts, claims);
  return { control, claims };
}

function bucket(name: string, maxAgeMs: number, replicas: number): Bucket {
  const subjectPrefix = `$KV.${name}.`;
  const maxAge = maxAgeMs * nanosPerMs;
  return {
    ...{ stream: `KV_${name}`, subjectPrefix, subjects: [`${subjectPrefix}>`], replicas },
    settings: {
      ...{ retention: "limits", discard: "new", max_msgs_per_subject: 1, max_age: maxAge },
      duplicate_window: Math.min(duplicateWindowMs, maxAgeMs || duplicateWindowMs) * nanosPerMs,
      ...{ allow_direct: true, allow_rollup_hdrs: true, deny_delete: true },
    },
    isOurs: (config: StreamConfig) =>
      config.max_msgs_per_subject === 1 && config.allow_direct === true && config.max_age === maxAge,
  };
}

/**
 * Makes the streams again that the servers no longer have. They have lost the files, or an operator has deleted the streams. Resolves to
 * whether one was missing.
 */
export async function restoreBuckets(parts: BucketParts, { control, claims }: Buckets): Promise<boolean> {
  const made = [await openStream(parts, control), await openStream(parts, claims)];
  return made.includes("made");
}
