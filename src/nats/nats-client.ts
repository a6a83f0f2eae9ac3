import {
  type Clock,
  errorText,
  loggableText,
  nextTurn,
  type RuntimeLog,
  type Timer,
  TroupeError,
} from "../core/internal.ts";
import { type ApiAnswer, type Fields, readApiAnswer, streamNotFound } from "./api-answer.ts";
import type { ConnectionOptions, Msg, MsgHdrs, NatsConnection, NatsModule } from "./driver.ts";
import { Replies } from "./replies.ts";
import { RequestSlots } from "./request-slots.ts";

/** Milliseconds that a server has to answer a request. */
export const requestTimeoutMs = 2_000;
/** Milliseconds that the end of a connection may take. */
const closeTimeoutMs = 1_000;
/** Milliseconds after which a refused subscription is tried again. */
const resubscribeMs = 1_000;
/** Messages of one answer at most; no request asks for so many. */
const mostMessages = 1_000;

/** The parts of a `NatsClient`. */
export interface NatsClientParts {
  readonly module: NatsModule;
  readonly connection: NatsConnection;
  readonly inboxPrefix: string;
  readonly clock: Clock;
  readonly log: RuntimeLog;
}

const noBytes = new Uint8Array(0);

/** A connection to NATS that sends nothing while it is lost: what it would send then might arrive at any later time. */
export class NatsClient {
  readonly #parts: NatsClientParts;
  readonly #slots = new RequestSlots();
  readonly #replies: Replies;
  readonly #connectedListeners = new Set<() => void>();
  readonly #missingListeners = new Set<() => void>();
  readonly #ends = new Set<() => void>();
  #isConnected = true;
  #isClosed = false;
  /** The library has ended the connection by itself. */
  #hasEnded = false;

  constructor(parts: NatsClientParts) {
    this.#parts = parts;
    this.#replies = new Replies({
      ...{ connection: parts.connection, clock: parts.clock, timeoutMs: requestTimeoutMs },
      createInbox: () => this.createInbox(),
      subscribe: (subject, onMessage) => this.subscribe(subject, onMessage),
    });
    void this.#follow();
  }

  /** Connects. Rejects with a `TroupeError` that says what to do. */
  static async connect(
    module: NatsModule,
    options: ConnectionOptions & { readonly inboxPrefix: string },
    parts: { readonly clock: Clock; readonly log: RuntimeLog },
  ): Promise<NatsClient> {
    const connection = await module.connect({
      ...options,
      // A lost connection is noticed within 4 s.
      ...{ pingInterval: 2_000, maxPingOut: 2 },
      ...{ maxReconnectAttempts: -1, reconnectTimeWait: 100, reconnectJitter: 100, reconnectJitterTLS: 100 },
      // An operator may give the permission back.
      ...{ noEcho: true, ignoreAuthErrorAbort: true },
    });
    return new NatsClient({ module, connection, inboxPrefix: options.inboxPrefix, ...parts });
  }

  get isConnected(): boolean {
    return this.#isConnected && !this.#isClosed;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Version of the server that it is connected to, `2.12.3`. */
  get serverVersion(): string {
    return this.#parts.connection.info?.version ?? "";
  }

  /** Whether that server is one of a cluster of NATS servers. */
  get isClustered(): boolean {
    return (this.#parts.connection.info?.cluster ?? "") !== "";
  }

  /** Largest message that the server takes, in bytes. */
  get maxPayload(): number {
    return this.#parts.connection.info?.max_payload ?? 1024 * 1024;
  }

  /** Calls the listener each time the connection is there again. */
  onConnected(listener: () => void): () => void {
    this.#connectedListeners.add(listener);
    return () => this.#connectedListeners.delete(listener);
  }

  /** Calls the listener when an answer says that a stream is not there, and when no server takes a message: perhaps for this reason. */
  onMissingStream(listener: () => void): () => void {
    this.#missingListeners.add(listener);
    return () => this.#missingListeners.delete(listener);
  }

  /** Sends a request. Undefined: no answer in time, no server that answers, or no connection. */
  async request(subject: string, payload: Uint8Array, headers?: MsgHdrs): Promise<Msg | undefined> {
    if (!this.isConnected) return await nobody();
    return await this.#slots.run(payload.byteLength, async () => {
      // It may have waited for its slot.
      if (!this.isConnected) return undefined;
      const reply = await this.#replies.request(subject, payload, headers);
      if ("message" in reply) return reply.message;
      this.#parts.log.debug("NATS has not answered a request", { subject, reason: reply.why });
      if (reply.isUntaken) this.#missing();
      return undefined;
    });
  }

  /** Asks JetStream's API. `isWhole`: whether an answer has what is used of it. */
  async ask<T>(
    api: string,
    body: object | undefined,
    isWhole: (fields: Fields) => boolean = () => true,
  ): Promise<ApiAnswer<T>> {
    const payload = body === undefined ? noBytes : new TextEncoder().encode(JSON.stringify(body));
    const answer = await this.request(`$JS.API.${api}`, payload);
    const read = answer && readApiAnswer<T>(answer, isWhole);
    const isMissing = read !== undefined && "error" in read && read.error.err_code === streamNotFound;
    // The code that asks for the stream itself makes it.
    if (isMissing && !api.startsWith("STREAM.INFO.")) this.#missing();
    return read;
  }

  /** Sends a request whose answer has several messages. Resolves to them when one is the last; undefined: that one did not come in time. */
  async requestMany(subject: string, body: object, isLast: (message: Msg) => boolean): Promise<Msg[] | undefined> {
    if (!this.isConnected) return await nobody();
    const payload = new TextEncoder().encode(JSON.stringify(body));
    return await this.#slots.run(payload.byteLength, () => this.#gather(subject, payload, isLast));
  }

  /**
   * Calls the listener with each message, until the returned function is called. A subscription that the servers refuse is tried again: an operator
   * may give the right back.
   */
  subscribe(subject: string, onMessage: (message: Msg) => void): () => void {
    const { connection, clock, log } = this.#parts;
    let subscription: { unsubscribe(): void } | undefined;
    let timer: Timer | undefined;
    let isOver = false;
    const begin = (): void => {
      if (isOver || this.#isClosed || this.#hasEnded) return;
      subscription = connection.subscribe(subject, {
        callback: (error, message) => {
          if (error !== null && error !== undefined) {
            log.warn("NATS refuses a subscription", { subject, reason: error.message });
            timer?.cancel();
            timer = clock.setTimer(resubscribeMs, begin);
            return;
          }
          try {
            onMessage(message);
          } catch (thrown) {
            // What is thrown here would end the library's loop that reads, and with it every watch and answer.
            log.error("a message of NATS could not be handled", { subject, error: thrown });
          }
        },
      });
    };
    begin();
    return () => {
      isOver = true;
      timer?.cancel();
      if (!this.#isClosed && !this.#hasEnded) subscription?.unsubscribe();
    };
  }

  /** Sends a message that may be lost. `reply`: where answers go. */
  publish(subject: string, payload: Uint8Array = noBytes, reply?: string): void {
    if (this.isConnected) this.#parts.connection.publish(subject, payload, reply === undefined ? {} : { reply });
  }

  /** A subject for answers to this client alone. */
  createInbox(): string {
    return this.#parts.module.createInbox(this.#parts.inboxPrefix);
  }

  createHeaders(): MsgHdrs {
    return this.#parts.module.headers();
  }

  /** Waits so many milliseconds, or until the client is closed. */
  pause(ms: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        this.#ends.delete(end);
        resolve();
      };
      const timer = this.#parts.clock.setTimer(ms, end, { keepAlive: true });
      this.#ends.add(end);
    });
  }

  /** Ends the connection. What waits for an answer gets none. Twice is fine. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#replies.close();
    this.#isClosed = true;
    for (const end of this.#ends) end();
    let timer: Timer | undefined;
    const late = new Promise<void>((resolve) => {
      timer = this.#parts.clock.setTimer(closeTimeoutMs, resolve, { keepAlive: true });
    });
    await Promise.race([this.#parts.connection.close().catch(() => undefined), late]);
    timer?.cancel();
  }

  #gather(subject: string, payload: Uint8Array, isLast: (message: Msg) => boolean): Promise<Msg[] | undefined> {
    if (!this.isConnected) return Promise.resolve(undefined);
    const inbox = this.createInbox();
    const messages: Msg[] = [];
    return new Promise((resolve) => {
      const end = (outcome: Msg[] | undefined) => {
        timer.cancel();
        unsubscribe();
        this.#ends.delete(abandon);
        resolve(outcome);
      };
      const abandon = () => end(undefined);
      this.#ends.add(abandon);
      const timer = this.#parts.clock.setTimer(requestTimeoutMs, abandon, { keepAlive: true });
      const unsubscribe = this.subscribe(inbox, (message) => {
        messages.push(message);
        if (messages.length > mostMessages) return abandon();
        if (message.headers?.code === 503) abandon();
        else if (isLast(message)) end(messages);
      });
      this.#parts.connection.publish(subject, payload, { reply: inbox });
    });
  }

  #missing(): void {
    for (const listener of this.#missingListeners) listener();
  }

  async #follow(): Promise<void> {
    const { connection, log } = this.#parts;
    for await (const status of connection.status()) {
      if (status.type === "disconnect") {
        this.#isConnected = false;
        if (!this.#isClosed) log.warn("lost the connection to NATS", { server: status.server });
      } else if (status.type === "reconnect") {
        this.#isConnected = true;
        log.info("connected to NATS again", { server: status.server });
        for (const listener of this.#connectedListeners) listener();
      } else if (status.type === "error") {
        log.warn("NATS refuses something", { reason: loggableText(errorText(status.error)) });
        const { subject } = status.error ?? {};
        if (subject !== undefined) this.#replies.refused(subject);
      }
    }
    if (this.#isClosed) return;
    this.#isConnected = false;
    this.#hasEnded = true;
    log.error("the connection to NATS has ended for good; restart this host");
  }
}

/** Returns why a connection could not be made, with what to do. */
export function connectFailure(cause: unknown, addresses: readonly string[]): TroupeError {
  const reason = errorText(cause);
  const servers = addresses.join(", ");
  if (/authorization|authentication|permissions|nkey|credentials/i.test(reason)) {
    const text = `NATS at ${servers} refuses the login: ${reason}. Set credentials, nkeySeed, user and password, or token.`;
    return new TroupeError("not-authorized", text, { cause });
  }
  const text = `NATS can't be reached at ${servers}: ${reason}. Start a server there (nats-server --jetstream), or name another address.`;
  return new TroupeError("disconnected", text, { cause });
}

/** No answer, in a later turn of the event loop: a caller that tries again at once would let no connection come back. */
async function nobody(): Promise<undefined> {
  await nextTurn();
}
