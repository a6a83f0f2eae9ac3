import type { StoreWatcher } from "../cluster/index.ts";
import type { Clock, RuntimeLog, Timer } from "../core/internal.ts";
import { type Fields, isCount } from "./api-answer.ts";
import type { Bucket } from "./buckets.ts";
import type { Msg } from "./driver.ts";
import type { NatsClient } from "./nats-client.ts";

/** Milliseconds between the heartbeats of a consumer without messages. The library's 5 s leave a watch blind for 13 s. */
const heartbeatMs = 1_000;
/** Milliseconds of silence after which a watch is made anew. */
const silenceMs = 3_000;
/** Milliseconds in which a watch must tell what its own store has written. */
const ownWriteMs = 5_000;
/** Milliseconds until the next try to make a consumer. */
const retryMs = 500;
/** Milliseconds after which the server forgets a consumer whose client is gone. */
const forgottenAfterMs = 30_000;
const nanosPerMs = 1_000_000;

/** The parts of a `KeyWatch`. */
export interface KeyWatchParts {
  readonly client: NatsClient;
  readonly bucket: Bucket;
  /** The beginning of the keys. */
  readonly prefix: string;
  readonly watcher: StoreWatcher;
  readonly clock: Clock;
  readonly log: RuntimeLog;
}

interface ConsumerInfo {
  readonly name: string;
  readonly num_pending: number;
}

/**
 * Watches keys with a push consumer of JetStream: its last message of each key, then all that follow. Messages have numbers; after a gap,
 * after silence, and when the connection comes back, another consumer begins anew.
 */
export class KeyWatch {
  readonly #parts: KeyWatchParts;
  readonly #subjectPrefix: string;
  /** Counts the consumers, so that messages of an earlier one are not read. */
  #life = 0;
  #unsubscribe: (() => void) | undefined;
  #consumer: string | undefined;
  /** Number of the consumer's last message. */
  #last = 0;
  #isTold = false;
  #isCaughtUp = false;
  /** The last revision that was told. */
  #toldRevision = 0;
  #heardMs = 0;
  /** A write of this store's own that the watch has not told yet. */
  #owed: { readonly revision: number; readonly sinceMs: number } | undefined;
  #timer: Timer | undefined;
  #isOver = false;

  constructor(parts: KeyWatchParts) {
    this.#parts = parts;
    this.#subjectPrefix = `${parts.bucket.subjectPrefix}${parts.prefix}`;
    void this.#begin();
  }

  /** The store has written a key of this watch. */
  sawWrite(revision: number): void {
    if (revision <= this.#toldRevision) return;
    this.#owed ??= { revision, sinceMs: this.#parts.clock.now() };
  }

  /** Begins anew, because something may have been missed. */
  restart(reason: string): void {
    if (this.#isOver) return;
    this.#parts.log.info("began a watch of NATS anew", { keys: `${this.#parts.prefix}>`, reason }, "watch anew");
    void this.#begin();
  }

  end(): void {
    this.#isOver = true;
    this.#leave();
  }

  async #begin(): Promise<void> {
    this.#leave();
    const { client, bucket, clock } = this.#parts;
    const life = this.#life;
    const inbox = client.createInbox();
    this.#last = 0;
    this.#isTold = false;
    this.#owed = undefined;
    this.#heardMs = clock.now();
    this.#unsubscribe = client.subscribe(inbox, (message) => {
      if (life === this.#life) this.#onMessage(message);
    });
    const answer = await client.ask<ConsumerInfo>(
      `CONSUMER.CREATE.${bucket.stream}`,
      {
        stream_name: bucket.stream,
        config: {
          ...{ deliver_subject: inbox, deliver_policy: "last_per_subject", filter_subject: `${this.#subjectPrefix}>` },
          ...{ ack_policy: "none", max_deliver: 1, mem_storage: true, num_replicas: 1 },
          ...{ flow_control: true, idle_heartbeat: heartbeatMs * nanosPerMs },
          inactive_threshold: forgottenAfterMs * nanosPerMs,
        },
      },
      isConsumer,
    );
    if (life !== this.#life) return;
    if (answer === undefined || "error" in answer) {
      this.#timer = clock.setTimer(retryMs, () => void this.#begin());
      return;
    }
    this.#consumer = answer.value.name;
    this.#tellStart();
    if (answer.value.num_pending === 0 && this.#last === 0) this.#tellCaughtUp();
    this.#supervise(life);
  }

  /** Ends the present consumer, and whatever waits for it. */
  #leave(): void {
    this.#life += 1;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    const { client, bucket } = this.#parts;
    // The server forgets it after a while if this is lost.
    if (this.#consumer !== undefined) void client.ask(`CONSUMER.DELETE.${bucket.stream}.${this.#consumer}`, undefined);
    this.#consumer = undefined;
  }

  #onMessage(message: Msg): void {
    this.#heardMs = this.#parts.clock.now();
    if (message.headers?.code === 100) return this.#onStatus(message);
    if ((message.headers?.code ?? 0) >= 400) return this.restart(`status ${message.headers?.description}`);
    const place = placeOf(message.reply);
    if (place === undefined || !message.subject.startsWith(this.#subjectPrefix)) return;
    if (place.number !== this.#last + 1) return this.restart("a message is missing");
    this.#last = place.number;
    this.#tellStart();
    this.#toldRevision = place.revision;
    if (this.#owed !== undefined && this.#owed.revision <= place.revision) this.#owed = undefined;
    const key = message.subject.slice(this.#parts.bucket.subjectPrefix.length);
    const life = this.#life;
    this.#tell((watcher) => watcher.onEntry({ key, value: new Uint8Array(message.data), revision: place.revision }));
    // The watcher may have ended the watch.
    if (place.pending === 0 && life === this.#life) this.#tellCaughtUp();
  }

  /** A heartbeat, or a question whether this end keeps up. */
  #onStatus(message: Msg): void {
    const { client } = this.#parts;
    if (message.reply) client.publish(message.reply);
    const stalled = message.headers?.get("Nats-Consumer-Stalled");
    if (stalled) client.publish(stalled);
    const last = Number(message.headers?.get("Nats-Last-Consumer") || 0);
    if (last > this.#last) return this.restart("a message is missing");
    // The server sends heartbeats when it has nothing else to send. Its count of what is left may be too large after an overwritten entry.
    if (this.#isTold && message.headers?.has("Nats-Last-Consumer")) this.#tellCaughtUp();
  }

  #tellStart(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    const isFirst = this.#toldRevision === 0 && !this.#isCaughtUp;
    this.#toldRevision = 0;
    this.#isCaughtUp = false;
    if (!isFirst) this.#tell((watcher) => watcher.onReset());
  }

  #tellCaughtUp(): void {
    if (this.#isCaughtUp) return;
    this.#isCaughtUp = true;
    this.#tell((watcher) => watcher.onCaughtUp());
  }

  /** A watcher that throws, which it must not, hears of what follows. */
  #tell(tell: (watcher: StoreWatcher) => void): void {
    const { watcher, prefix, log } = this.#parts;
    try {
      tell(watcher);
    } catch (error) {
      log.error("a watcher of the store has thrown an error", { keys: `${prefix}>`, error });
    }
  }

  #supervise(life: number): void {
    const { clock } = this.#parts;
    this.#timer = clock.setTimer(heartbeatMs, () => {
      if (life !== this.#life) return;
      const nowMs = clock.now();
      if (nowMs - this.#heardMs > silenceMs) return this.restart("it was silent");
      if (this.#owed !== undefined && nowMs - this.#owed.sinceMs > ownWriteMs) return this.restart("it is behind");
      this.#supervise(life);
    });
  }
}

function isConsumer({ name, num_pending }: Fields): boolean {
  return typeof name === "string" && isCount(num_pending);
}

/** Reads where a message stands from the subject of its acknowledgement, which newer servers begin with two tokens more. */
function placeOf(
  reply: string | undefined,
): { readonly revision: number; readonly number: number; readonly pending: number } | undefined {
  const tokens = reply?.split(".") ?? [];
  if (tokens[0] !== "$JS" || tokens[1] !== "ACK" || tokens.length < 9) return undefined;
  const at = tokens.length > 9 ? 7 : 5;
  const [revision, number, pending] = [Number(tokens[at]), Number(tokens[at + 1]), Number(tokens[at + 3])];
  return Number.isSafeInteger(revision) && Number.isSafeInteger(number) ? { revision, number, pending } : undefined;
}
