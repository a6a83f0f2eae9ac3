import { type Clock, loggableText, type MakeId, type RuntimeLog, StoreError, type Timer } from "../../core/internal.ts";
import type { Msg } from "../driver.ts";
import type { NatsClient } from "../nats-client.ts";
import { nanosPerMs } from "../open-stream.ts";
import type { HeaderReader, StreamMessage } from "./mail-headers.ts";
import type { ReadBudget, Reservation } from "./read-budget.ts";
import { assertHighest, consumerName, dropConsumer, takenOver } from "./reader-names.ts";
import type { StreamAsks } from "./stream-asks.ts";

/** Milliseconds that one pull waits for messages. */
const pullMs = 30_000;
/** Milliseconds between heartbeats of the server while it has no messages. */
const heartbeatMs = 2_000;
/** Milliseconds of silence after which a consumer is made anew. */
const silenceMs = 7_000;
/** Milliseconds until the next try to make a consumer. */
const retryMs = 500;
/** Milliseconds after which the server forgets a consumer without a reader: the next owner of a shard learns of it how far it was read. */
const forgottenAfterMs = 600_000;

const noHeaders: HeaderReader = { get: () => "" };

/** The parts of a `ShardConsumer`. */
export interface ShardConsumerParts {
  readonly client: NatsClient;
  readonly asks: StreamAsks;
  readonly stream: string;
  readonly filter: string;
  readonly shard: number;
  readonly token: number;
  readonly budget: ReadBudget;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly log: RuntimeLog;
  readonly onMessage: (message: StreamMessage) => void;
  /** Called when it begins to read anew, behind the last message. */
  readonly onRestart: () => void;
  /** Called once: another reader has taken the shard. */
  readonly onFenced: (error: StoreError) => void;
}

/**
 * Reads the messages of a shard in order, by pulls from a consumer of JetStream that nothing is acknowledged to. Messages have numbers; after
 * a gap, after silence, and when the connection comes back, another consumer continues behind the last message. The consumer is named after
 * the token of its reader: one with a higher token ends this one.
 */
export class ShardConsumer {
  readonly #parts: ShardConsumerParts;
  /** Counts the consumers, so that messages of an earlier one are not read. */
  #life = 0;
  #unsubscribe: (() => void) | undefined;
  /** Number of the consumer's last message. */
  #last = 0;
  /** Place of the last message. */
  #place = 0;
  #inbox = "";
  #name = "";
  #endWaiting: () => void = () => undefined;
  /** Counts the pulls, and what the present one may bring yet. */
  #pull = 0;
  #left = 0;
  #reserved: Reservation | undefined;
  /** Whether the next message is longer than a pull may bring. */
  #isNextLarge = false;
  #heardMs = 0;
  #timer: Timer | undefined;
  #isOver = false;

  constructor(parts: ShardConsumerParts) {
    this.#parts = parts;
  }

  /** The place of the last message that was read. */
  get place(): number {
    return this.#place;
  }

  /** Makes the consumer and begins to read. Rejects with a `StoreError`; as `fenced` if a reader with a higher token is there. */
  async start(): Promise<void> {
    if (!(await this.#create())) {
      const text = "NATS has not made a consumer for mail. See that its servers run and have a leader.";
      throw new StoreError("unavailable", text);
    }
    this.#supervise();
    this.#pullNext();
  }

  /** The connection may have lost messages, or pulls. */
  restart(reason: string): void {
    if (this.#isOver) return;
    const { log, shard } = this.#parts;
    log.info("began to read the mail of a shard anew", { shard, reason }, "read the mail of a shard anew");
    this.#leave();
    this.#parts.onRestart();
    this.#retryIn(0);
  }

  /** Ends it. The server keeps the consumer for a while, so that the next reader learns how far this one has come. */
  end(): void {
    this.#isOver = true;
    this.#leave();
  }

  /** Ends it in order: the next reader of the shard has nothing to learn from its consumer. */
  async leave(): Promise<void> {
    this.end();
    if (this.#name !== "") await dropConsumer(this.#parts, this.#name);
  }

  #leave(): void {
    this.#life += 1;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#endWaiting();
    this.#reserved?.release();
    this.#reserved = undefined;
    this.#left = 0;
  }

  #retryIn(ms: number): void {
    this.#timer = this.#parts.clock.setTimer(ms, () => void this.#begin());
  }

  async #begin(): Promise<void> {
    const life = this.#life;
    try {
      if (await this.#create()) {
        this.#supervise();
        this.#pullNext();
        return;
      }
    } catch (error) {
      if (error instanceof StoreError && error.storeCode === "fenced") return this.#fenced(error);
    }
    if (life === this.#life && !this.#isOver) this.#retryIn(retryMs);
  }

  #fenced(error: StoreError): void {
    if (this.#isOver) return;
    this.end();
    this.#parts.onFenced(error);
  }

  /** Resolves to whether there is a consumer to read from. */
  async #create(): Promise<boolean> {
    const { client, clock, stream, filter, token, makeId } = this.#parts;
    const life = this.#life;
    const inbox = client.createInbox();
    const name = consumerName(this.#parts, token, makeId().slice(0, 8));
    const answer = await client.ask<object>(`CONSUMER.CREATE.${stream}.${name}.${filter}`, {
      stream_name: stream,
      config: {
        ...{ name, filter_subject: filter, ack_policy: "none", deliver_policy: "by_start_sequence" },
        ...{ opt_start_seq: this.#place + 1, mem_storage: true, num_replicas: 1 },
        inactive_threshold: forgottenAfterMs * nanosPerMs,
      },
    });
    if (life !== this.#life || this.#isOver || answer === undefined) return false;
    if ("error" in answer) {
      const { description } = answer.error;
      this.#parts.log.warn("NATS makes no consumer for mail", { reason: loggableText(description ?? "") });
      return false;
    }
    // Of two readers the second one sees the first: the one with the lower token ends.
    await assertHighest(this.#parts, token, name);
    if (life !== this.#life || this.#isOver) return false;
    this.#name = name;
    this.#inbox = inbox;
    this.#last = 0;
    this.#heardMs = clock.now();
    this.#unsubscribe = client.subscribe(`${inbox}.*`, (message) => {
      if (life === this.#life) this.#take(message);
    });
    return true;
  }

  #pullNext(): void {
    if (this.#isOver || this.#reserved !== undefined) return;
    const { budget } = this.#parts;
    const life = this.#life;
    this.#endWaiting = budget.reserve(this.#isNextLarge, (reservation) => {
      if (life !== this.#life || this.#isOver) return reservation.release();
      this.#reserved = reservation;
      this.#ask(reservation);
    });
  }

  #ask({ messages, bytes }: Reservation): void {
    const { client, clock, stream } = this.#parts;
    this.#pull += 1;
    this.#left = messages;
    this.#heardMs = clock.now();
    const query = {
      ...{ batch: messages, expires: pullMs * nanosPerMs, idle_heartbeat: heartbeatMs * nanosPerMs },
      ...(bytes === undefined ? {} : { max_bytes: bytes }),
    };
    const payload = new TextEncoder().encode(JSON.stringify(query));
    client.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${this.#name}`, payload, `${this.#inbox}.${this.#pull}`);
  }

  #take(message: Msg): void {
    this.#heardMs = this.#parts.clock.now();
    const code = message.headers?.code ?? 0;
    if (code >= 100) return this.#takeStatus(message, code);
    const at = placeOf(message.reply);
    if (at === undefined) return;
    if (at.number !== this.#last + 1) return this.restart("a message is missing");
    this.#last = at.number;
    this.#place = at.place;
    this.#left -= 1;
    this.#isNextLarge = false;
    const life = this.#life;
    this.#parts.onMessage({ place: at.place, headers: message.headers ?? noHeaders, data: message.data });
    // The reader may have left.
    if (life === this.#life && this.#left === 0) this.#pullEnded();
  }

  #takeStatus({ subject, headers }: Msg, code: number): void {
    if (code === 100) return;
    const description = headers?.description ?? "";
    // Servers that were restarted have forgotten it; another reader deletes it.
    if (code === 503) return this.restart("it is gone");
    if (/consumer deleted/i.test(description)) return this.#fenced(takenOver());
    // It is of an earlier pull.
    if (!subject.endsWith(`.${this.#pull}`) || this.#left === 0) return;
    if (/exceeds maxbytes/i.test(description)) this.#isNextLarge = true;
    else if (code !== 404 && code !== 408 && !/batch completed/i.test(description)) return this.restart(description);
    this.#pullEnded();
  }

  #pullEnded(): void {
    this.#reserved?.release();
    this.#reserved = undefined;
    this.#left = 0;
    this.#pullNext();
  }

  #supervise(): void {
    const { clock } = this.#parts;
    this.#timer = clock.setTimer(heartbeatMs, () => {
      // While it waits for room there is no pull that the server could answer.
      if (this.#reserved !== undefined && clock.now() - this.#heardMs > silenceMs) return this.restart("it was silent");
      this.#supervise();
    });
  }
}

/** Reads where a message stands from the subject of its acknowledgement, which newer servers begin with two tokens more. */
export function placeOf(
  reply: string | undefined,
): { readonly place: number; readonly number: number; readonly pending: number } | undefined {
  const tokens = reply?.split(".") ?? [];
  if (tokens[0] !== "$JS" || tokens[1] !== "ACK" || tokens.length < 9) return undefined;
  const at = tokens.length > 9 ? 7 : 5;
  const [place, number, pending] = [Number(tokens[at]), Number(tokens[at + 1]), Number(tokens[at + 3])];
  return Number.isSafeInteger(place) && Number.isSafeInteger(number) ? { place, number, pending } : undefined;
}
