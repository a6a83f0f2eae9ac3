import {
  assertAnnouncement,
  assertStoreKey,
  assertStorePrefix,
  assertStoreWrite,
  type CoordinationStore,
  type ReadOptions,
  type ReadOutcome,
  type StoreWatcher,
  type WriteOutcome,
} from "../cluster/index.ts";
import { type Clock, errorText, type RuntimeLog } from "../core/internal.ts";
import { type Bucket, type Buckets, bucketOf } from "./buckets.ts";
import { EntryReads } from "./entry-reads.ts";
import { KeyWatch } from "./key-watch.ts";
import type { NatsClient } from "./nats-client.ts";
import { readAcknowledgement } from "./write-answer.ts";

/** The parts of a `NatsCoordinationStore`. */
export interface NatsCoordinationStoreParts {
  readonly client: NatsClient;
  readonly buckets: Buckets;
  readonly clusterName: string;
  readonly clock: Clock;
  readonly log: RuntimeLog;
  /** Makes the buckets again that the servers no longer have; resolves to whether one was missing. */
  readonly restoreBuckets: () => Promise<boolean>;
  /** Flushes the log, at the end. */
  readonly onClosed: () => void;
}

/** The coordination store of a cluster in NATS JetStream. */
export class NatsCoordinationStore implements CoordinationStore {
  readonly #parts: NatsCoordinationStoreParts;
  readonly #reads: ReadonlyMap<Bucket, EntryReads>;
  readonly #watches = new Map<KeyWatch, string>();
  readonly #listeners = new Set<(bytes: Uint8Array) => void>();
  readonly #hint: string;
  readonly #endListening: () => void;
  readonly #endLooking: () => void;
  /** The streams are being looked for. */
  #restoring: Promise<void> | undefined;
  readonly #unsubscribe: () => void;
  #isClosed = false;

  constructor(parts: NatsCoordinationStoreParts) {
    const { client, buckets, clusterName } = parts;
    this.#parts = parts;
    this.#reads = new Map(
      [buckets.control, buckets.claims].map((each) => [each, new EntryReads(client, each, parts.clock)]),
    );
    this.#hint = `troupe.${clusterName}.hint`;
    this.#unsubscribe = client.subscribe(this.#hint, ({ data }) => this.#heard(data));
    this.#endListening = client.onConnected(() => void this.#reconnect());
    this.#endLooking = client.onMissingStream(() => void this.#restore());
  }

  async write(key: string, value: Uint8Array, expected: number): Promise<WriteOutcome> {
    assertStoreWrite(key, value, expected);
    if (this.#isClosed) return { at: "unknown" };
    const { client, buckets, log } = this.#parts;
    const bucket = bucketOf(buckets, key);
    const headers = client.createHeaders();
    headers.set("Nats-Expected-Last-Subject-Sequence", String(expected));
    const answer = await client.request(`${bucket.subjectPrefix}${key}`, new Uint8Array(value), headers);
    const outcome = readAcknowledgement(answer);
    if (outcome.at === "written") {
      for (const [watch, prefix] of this.#watches) if (key.startsWith(prefix)) watch.sawWrite(outcome.revision);
      return outcome;
    }
    if (outcome.at === "unknown") {
      if (outcome.error !== undefined) {
        const advice = "see that the account may write, and that its streams and the servers' files have space";
        log.warn("NATS refuses a write", { key, reason: outcome.error.description, advice });
      }
      return { at: "unknown" };
    }
    const found = await this.#readFresh(key);
    // A server may refuse a write while another one is under way that then fails.
    if (found === "unknown" || (found?.revision ?? 0) === expected) return { at: "unknown" };
    return { at: "conflict", found };
  }

  async read(key: string, options: ReadOptions = {}): Promise<ReadOutcome> {
    assertStoreKey(key);
    if (this.#isClosed) return "unknown";
    return options.fresh === true ? await this.#readFresh(key) : await this.#readsOf(key).stale(key);
  }

  watch(prefix: string, watcher: StoreWatcher): () => void {
    assertStorePrefix(prefix);
    if (this.#isClosed) return () => undefined;
    const { client, buckets, clock, log } = this.#parts;
    const watch = new KeyWatch({ client, bucket: bucketOf(buckets, prefix), prefix, watcher, clock, log });
    this.#watches.set(watch, prefix);
    return () => {
      watch.end();
      this.#watches.delete(watch);
    };
  }

  async purge(key: string, upTo?: number): Promise<void> {
    assertStoreKey(key);
    if (this.#isClosed) return;
    const { client, buckets } = this.#parts;
    const { stream, subjectPrefix } = bucketOf(buckets, key);
    const until = upTo === undefined ? {} : { seq: upTo + 1 };
    await client.ask(`STREAM.PURGE.${stream}`, { filter: `${subjectPrefix}${key}`, ...until });
  }

  announce(bytes: Uint8Array): void {
    assertAnnouncement(bytes);
    if (!this.#isClosed) this.#parts.client.publish(this.#hint, new Uint8Array(bytes));
  }

  onAnnouncement(listener: (bytes: Uint8Array) => void): () => void {
    // The same function may be given twice; each has its own end.
    const own = (bytes: Uint8Array) => listener(bytes);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#endListening();
    this.#endLooking();
    this.#unsubscribe();
    for (const watch of this.#watches.keys()) watch.end();
    this.#watches.clear();
    this.#listeners.clear();
    await this.#parts.client.close();
    this.#parts.onClosed();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #heard(data: Uint8Array): void {
    for (const listener of this.#listeners) {
      try {
        listener(new Uint8Array(data));
      } catch (error) {
        this.#parts.log.error("a listener of announcements has thrown an error", { error });
      }
    }
  }

  async #reconnect(): Promise<void> {
    await this.#restore();
    for (const watch of this.#watches.keys()) watch.restart("the connection was lost");
  }

  /** Makes the streams again that are not there. Watches begin anew by themselves when theirs is silent. */
  #restore(): Promise<void> {
    this.#restoring ??= this.#restoreNow().finally(() => {
      this.#restoring = undefined;
    });
    return this.#restoring;
  }

  async #restoreNow(): Promise<void> {
    if (this.#isClosed) return;
    const { restoreBuckets, log } = this.#parts;
    try {
      const wasMissing = await restoreBuckets();
      if (wasMissing) log.error("NATS has lost the store of the cluster, which was made anew");
    } catch (error) {
      if (!this.#isClosed) log.error("the store of the cluster is not there in NATS", { reason: errorText(error) });
    }
  }

  async #readFresh(key: string): Promise<ReadOutcome> {
    return await this.#readsOf(key).fresh(key);
  }

  #readsOf(key: string): EntryReads {
    const reads = this.#reads.get(bucketOf(this.#parts.buckets, key));
    if (reads === undefined) throw new Error("Each bucket has its reads.");
    return reads;
  }
}
