import type { SimulatedClock } from "../../../src/testing/index.ts";
import { type ApiReply, answerApi } from "./jet-stream-api.ts";
import { SimulatedHeaders } from "./simulated-headers.ts";
import { matches, type SimulatedConsumer, SimulatedStream, type StoredMessage } from "./simulated-stream.ts";

/** A message on its way to a client. */
export interface Sent {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply?: string | undefined;
  readonly headers?: SimulatedHeaders | undefined;
}

/** A message that a client has published. */
export interface Published {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: ReadonlyMap<string, string>;
  readonly reply: string | undefined;
}

/** What the servers tell the world. */
export interface ServerEvents {
  readonly onKept: (message: StoredMessage, stream: SimulatedStream) => void;
  readonly onDeleted: (message: StoredMessage) => void;
  /** The stream of this name is there no more, and what it had. */
  readonly onLost: (messages: readonly StoredMessage[]) => void;
}

const heartbeatMs = 2_000;
const noBytes = new Uint8Array(0);

/** NATS' servers with JetStream, as one: streams, consumers and what clients ask. Delays and faults are those of `SimulatedConnection`. */
export class SimulatedServers {
  readonly streams = new Map<string, SimulatedStream>();
  readonly #clock: SimulatedClock;
  readonly #events: ServerEvents;
  readonly #clients = new Set<(message: Sent) => boolean>();
  #made = 0;
  #generation = 0;

  constructor(clock: SimulatedClock, events: ServerEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  /** Goes up when the servers have lost all. */
  get generation(): number {
    return this.#generation;
  }

  /** Adds a client. `deliver` returns whether it has subscribed to the subject. */
  add(deliver: (message: Sent) => boolean): () => void {
    this.#clients.add(deliver);
    return () => this.#clients.delete(deliver);
  }

  /** Loses all streams, as servers do that come back with empty disks. */
  empty(): void {
    this.#generation += 1;
    const messages = [...this.streams.values()].flatMap((stream) => stream.messages);
    this.streams.clear();
    this.#events.onLost(messages);
  }

  make(config: SimulatedStream["config"]): SimulatedStream {
    this.#made += 1;
    const stream = new SimulatedStream(config, `made ${this.#made}`);
    this.streams.set(config.name, stream);
    return stream;
  }

  deleted(messages: readonly StoredMessage[]): void {
    for (const message of messages) this.#events.onDeleted(message);
  }

  /** Takes what a client has published. */
  take({ subject, data, headers, reply }: Published): void {
    if (subject.startsWith("$JS.API.CONSUMER.MSG.NEXT.")) return this.#pull(subject, data, reply ?? "");
    if (subject.startsWith("$JS.API.")) {
      const answer = answerApi(this, subject.slice("$JS.API.".length), data);
      return answer === undefined ? this.#untaken(reply) : this.#answer(reply, answer);
    }
    const stream = [...this.streams.values()].find(({ config }) =>
      config.subjects.some((one) => matches(one, subject)),
    );
    if (stream === undefined) return this.#untaken(reply);
    const kept = stream.append({ subject, headers, data }, this.#clock.now());
    if (kept.at === "full") {
      const description = "maximum messages per subject exceeded";
      return this.#answer(reply, { error: { code: 400, err_code: 10_077, description } });
    }
    const message = stream.at(kept.place);
    if (kept.at === "kept" && message !== undefined) this.#events.onKept(message, stream);
    this.#answer(reply, {
      stream: stream.config.name,
      seq: kept.place,
      ...(kept.at === "known" && { duplicate: true }),
    });
    for (const consumer of stream.consumers.values()) this.#serve(stream, consumer);
  }

  /** A consumer is gone: its reader hears that, if it waits. */
  dropConsumer({ consumers }: SimulatedStream, name: string): boolean {
    const inbox = consumers.get(name)?.pull?.inbox;
    if (inbox !== undefined) this.#send({ subject: inbox, data: noBytes, headers: status(409, "Consumer Deleted") });
    return consumers.delete(name);
  }

  #pull(subject: string, data: Uint8Array, inbox: string): void {
    const [streamName = "", name = ""] = subject.slice("$JS.API.CONSUMER.MSG.NEXT.".length).split(".");
    const stream = this.streams.get(streamName);
    const consumer = stream?.consumers.get(name);
    if (stream === undefined || consumer === undefined) return this.#untaken(inbox);
    const { batch, expires = 0, no_wait: isAtOnce = false } = JSON.parse(new TextDecoder().decode(data));
    const pull = { inbox, untilMs: this.#clock.now() + expires / 1e6, left: batch };
    consumer.pull = pull;
    this.#serve(stream, consumer);
    if (consumer.pull !== pull) return;
    if (isAtOnce) this.#endPull(consumer, 404, "No Messages");
    else this.#beat(stream, consumer);
  }

  /** Tells a reader that waits that its consumer lives, until its pull is over. */
  #beat(stream: SimulatedStream, consumer: SimulatedConsumer): void {
    const { pull } = consumer;
    if (pull === undefined) return;
    const isThere = () =>
      this.streams.get(stream.config.name) === stream && stream.consumers.get(consumer.name) === consumer;
    this.#clock.setTimer(Math.min(heartbeatMs, pull.untilMs - this.#clock.now()), () => {
      if (consumer.pull !== pull || !isThere()) return;
      if (this.#clock.now() >= pull.untilMs) return this.#endPull(consumer, 408, "Request Timeout");
      this.#send({ subject: pull.inbox, data: noBytes, headers: status(100, "Idle Heartbeat") });
      this.#beat(stream, consumer);
    });
  }

  #endPull(consumer: SimulatedConsumer, code: number, description: string): void {
    const { pull } = consumer;
    consumer.pull = undefined;
    if (pull !== undefined) this.#send({ subject: pull.inbox, data: noBytes, headers: status(code, description) });
  }

  /** Delivers what a pull may have. */
  #serve(stream: SimulatedStream, consumer: SimulatedConsumer): void {
    for (;;) {
      const { pull, filter } = consumer;
      const message = pull && stream.next(filter, consumer.next);
      if (pull === undefined || message === undefined) return;
      consumer.next = message.place + 1;
      consumer.count += 1;
      consumer.lastPlace = message.place;
      pull.left -= 1;
      if (pull.left === 0) consumer.pull = undefined;
      const reply = `$JS.ACK.${stream.config.name}.${consumer.name}.1.${message.place}.${consumer.count}.1.0`;
      const headers = SimulatedHeaders.of(message.headers);
      if (consumer.isHeadersOnly) headers.set("Nats-Msg-Size", String(message.data.length));
      this.#send({ subject: pull.inbox, data: consumer.isHeadersOnly ? noBytes : message.data, reply, headers });
    }
  }

  #answer(reply: string | undefined, fields: ApiReply): void {
    if (reply !== undefined) this.#send({ subject: reply, data: new TextEncoder().encode(JSON.stringify(fields)) });
  }

  /** No server takes messages of the subject. */
  #untaken(reply: string | undefined): void {
    if (reply !== undefined) this.#send({ subject: reply, data: noBytes, headers: status(503, "No Responders") });
  }

  #send(message: Sent): void {
    for (const deliver of this.#clients) if (deliver(message)) return;
  }
}

function status(code: number, description: string): SimulatedHeaders {
  return new SimulatedHeaders(code, description);
}
