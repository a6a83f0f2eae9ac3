import type { ReadOutcome, StoreEntry } from "../cluster/index.ts";
import type { Clock } from "../core/internal.ts";
import { hasMessage } from "./api-answer.ts";
import type { Bucket } from "./buckets.ts";
import type { Msg } from "./driver.ts";
import { FreshnessFence } from "./freshness-fence.ts";
import { type NatsClient, requestTimeoutMs } from "./nats-client.ts";

const messageNotFound = 10_037;
const noContent = 204;
const notFound = 404;
/** Milliseconds between two questions to replicas that are behind. */
const behindMs = 20;

interface StoredMessage {
  readonly message: { readonly subject: string; readonly seq: number; readonly data?: string };
}

/** Reads entries of one bucket. */
export class EntryReads {
  readonly #client: NatsClient;
  readonly #bucket: Bucket;
  readonly #clock: Clock;
  readonly #fence: FreshnessFence;

  constructor(client: NatsClient, bucket: Bucket, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
    this.#bucket = bucket;
    this.#fence = new FreshnessFence(client, bucket);
  }

  /** Reads at any replica, which may be behind. */
  async stale(key: string): Promise<ReadOutcome> {
    const { stream, subjectPrefix } = this.#bucket;
    const subject = `$JS.API.DIRECT.GET.${stream}.${subjectPrefix}${key}`;
    const answer = await this.#client.request(subject, new Uint8Array(0));
    if (answer === undefined) return "unknown";
    if (answer.headers?.code === notFound) return undefined;
    return entryIn(answer, key) ?? "unknown";
  }

  /** Reads what every acknowledged write has left. */
  fresh(key: string): Promise<ReadOutcome> {
    return this.#bucket.replicas === 1 ? this.#atOnlyServer(key) : this.#behindFence(key);
  }

  async #atOnlyServer(key: string): Promise<ReadOutcome> {
    const { stream, subjectPrefix } = this.#bucket;
    const body = { last_by_subj: `${subjectPrefix}${key}` };
    const answer = await this.#client.ask<StoredMessage>(`STREAM.MSG.GET.${stream}`, body, hasMessage);
    if (answer === undefined) return "unknown";
    if ("error" in answer) return answer.error.err_code === messageNotFound ? undefined : "unknown";
    const { seq, data = "" } = answer.value.message;
    return { key, value: bytesOfBase64(data), revision: seq };
  }

  /**
   * A leader that was replaced answers as if it were one until it learns of it. So the store writes an entry of its own after the read
   * began. What a server answers counts if it has that entry: it then has all that was acknowledged before.
   */
  async #behindFence(key: string): Promise<ReadOutcome> {
    const { stream, subjectPrefix } = this.#bucket;
    const fence = await this.#fence.write();
    if (fence === undefined) return "unknown";
    const [keySubject, fenceSubject] = [`${subjectPrefix}${key}`, this.#fence.subject];
    const body = { multi_last: [keySubject, fenceSubject] };
    const untilMs = this.#clock.now() + requestTimeoutMs;
    while (this.#clock.now() < untilMs) {
      const answers = await this.#client.requestMany(`$JS.API.DIRECT.GET.${stream}`, body, isEnd);
      if (answers === undefined) return "unknown";
      const found = answers.find((each) => each.headers?.get("Nats-Subject") === keySubject);
      const seen = answers.find((each) => each.headers?.get("Nats-Subject") === fenceSubject);
      // The server is behind, or an entry was overwritten while it answered.
      const isFresh = answers.at(-1)?.headers?.code === noContent && seen !== undefined && revisionOf(seen) >= fence;
      if (isFresh) return found === undefined ? undefined : (entryIn(found, key) ?? "unknown");
      await this.#client.pause(behindMs);
    }
    return "unknown";
  }
}

function isEnd(message: Msg): boolean {
  const code = message.headers?.code ?? 0;
  return code >= noContent;
}

function entryIn(message: Msg, key: string): StoreEntry | undefined {
  const revision = revisionOf(message);
  return Number.isSafeInteger(revision) && revision > 0
    ? { key, value: new Uint8Array(message.data), revision }
    : undefined;
}

function revisionOf(message: Msg): number {
  return Number(message.headers?.get("Nats-Sequence") || Number.NaN);
}

function bytesOfBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}
