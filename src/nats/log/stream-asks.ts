import { type Clock, loggableText, StoreError, type StoreErrorCode } from "../../core/internal.ts";
import {
  type ApiAnswer,
  type ApiError,
  errorIn,
  type Fields,
  hasMessage,
  readJsonFields,
  streamNotFound,
} from "../api-answer.ts";
import type { MsgHdrs } from "../driver.ts";
import type { NatsClient } from "../nats-client.ts";
import { atLeast } from "../server-version.ts";
import { parseHeaders, type StreamMessage } from "./mail-headers.ts";

/** The outcome of a publication. `full`: the subject has as many messages as it may. */
export type Published = { readonly at: "kept" | "known"; readonly place: number } | { readonly at: "full" };

/** Servers before it write a deletion late, unless the message is overwritten: when they are killed, it is there again. */
const deletionsKeptVersion = "2.10.0";
// Checked with 2.15.3, and not with those between.
/** The same of purges of some subjects. */
const purgesKeptVersion = "2.12.0";
/** Milliseconds for which an ask is tried again. A stream without its leader has another one after up to 8 s. */
const patienceMs = 15_000;
/** Milliseconds until the next try. */
const retryMs = 200;
const messageNotFound = 10_037;
const sequenceNotFound = 10_043;
/** The server could not store or delete a message; the text says why. */
const storeFailed = 10_077;
const deleteFailed = 10_057;
/** An earlier publication of the same message is not yet decided. Servers from 2.12 on say so. */
const messageInProcess = 10_158;
const noSpace: readonly number[] = [10_047, 10_023, 10_028, 10_053];

/** The body of the answer to `STREAM.MSG.GET`. */
interface GotMessage {
  readonly message: { readonly seq: number; readonly hdrs?: string; readonly data?: string };
}

/** Asks about messages of streams, each until it has an outcome. Methods reject with a `StoreError`. */
export class StreamAsks {
  readonly #client: NatsClient;
  readonly #clock: Clock;

  constructor(client: NatsClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Publishes a message. Its headers have an id, so that it is kept once though it is sent again. */
  async publish(subject: string, data: Uint8Array, headers: MsgHdrs): Promise<Published> {
    this.#assertFits(data.byteLength + sizeOf(headers));
    return await this.#until("unknown", async () => {
      const answer = await this.#client.request(subject, data, headers);
      const read = answer && readJsonFields(answer.data);
      if (read === undefined) return undefined;
      const error = errorIn(read);
      if (error !== undefined) return isFullSubject(error) ? { at: "full" } : this.#refused(error);
      const { seq, duplicate } = read;
      return Number.isSafeInteger(seq) ? { at: duplicate === true ? "known" : "kept", place: Number(seq) } : undefined;
    });
  }

  /** Whether the server keeps what a purge has deleted from coming back when it is killed. */
  get mayPurge(): boolean {
    return atLeast(this.#client.serverVersion, purgesKeptVersion);
  }

  /** Deletes a message. Resolves to whether it was there. */
  async remove(stream: string, place: number): Promise<boolean> {
    return await this.#until("unavailable", async () => {
      const keepsDeletions = atLeast(this.#client.serverVersion, deletionsKeptVersion);
      const query = { seq: place, no_erase: keepsDeletions };
      const answer = await this.#client.ask<object>(`STREAM.MSG.DELETE.${stream}`, query);
      if (answer === undefined) return undefined;
      if ("value" in answer) return true;
      return isGone(answer.error) ? false : this.#refused(answer.error);
    });
  }

  /** The sequence of the last message that a stream has taken. */
  async newest(stream: string): Promise<number> {
    return await this.#until("unavailable", async () => {
      const answer = await this.#client.ask<{ readonly state: { readonly last_seq: number } }>(
        `STREAM.INFO.${stream}`,
        undefined,
      );
      if (answer === undefined) return undefined;
      return "value" in answer ? answer.value.state.last_seq : this.#refused(answer.error);
    });
  }

  /** Deletes the messages of a subject up to a place. The subject may be a pattern. */
  async purge(stream: string, subject: string, upTo: number): Promise<void> {
    await this.#until("unavailable", async () => {
      const answer = await this.#client.ask<object>(`STREAM.PURGE.${stream}`, { filter: subject, seq: upTo + 1 });
      if (answer === undefined) return undefined;
      return "value" in answer ? true : this.#refused(answer.error);
    });
  }

  /** Reads the first message of a subject at a place or behind it. Undefined: there is none. */
  next(stream: string, subject: string, from: number): Promise<StreamMessage | undefined> {
    return this.#read(stream, { next_by_subj: subject, seq: from });
  }

  /** Reads the message at a place. Undefined: there is none. */
  at(stream: string, place: number): Promise<StreamMessage | undefined> {
    return this.#read(stream, { seq: place });
  }

  /** Asks JetStream's API until there is an answer. */
  async ask<T>(
    api: string,
    body: object | undefined,
    isWhole?: (fields: Fields) => boolean,
  ): Promise<Exclude<ApiAnswer<T>, undefined>> {
    return await this.#until("unavailable", async () => {
      const answer = await this.#client.ask<T>(api, body, isWhole);
      const isTemporary = answer !== undefined && "error" in answer && isTemporaryError(answer.error);
      return isTemporary ? undefined : answer;
    });
  }

  async #read(stream: string, query: object): Promise<StreamMessage | undefined> {
    const found = await this.#until<{ readonly message?: StreamMessage }>("unavailable", async () => {
      const answer = await this.#client.ask<GotMessage>(`STREAM.MSG.GET.${stream}`, query, hasMessage);
      if (answer === undefined) return undefined;
      if ("error" in answer) return answer.error.err_code === messageNotFound ? {} : this.#refused(answer.error);
      const { seq, hdrs, data = "" } = answer.value.message;
      return { message: { place: seq, headers: parseHeaders(hdrs), data: Buffer.from(data, "base64") } };
    });
    return found.message;
  }

  /** Tries until there is an outcome. `otherwise`: what is known of an ask that has none in time. */
  async #until<T>(otherwise: StoreErrorCode, tryIt: () => Promise<T | undefined>): Promise<T> {
    const untilMs = this.#clock.now() + patienceMs;
    let wasSent = false;
    for (;;) {
      if (this.#client.isClosed) throw new StoreError("closed", "The log in NATS is closed.");
      wasSent ||= this.#client.isConnected;
      const outcome = await tryIt();
      if (outcome !== undefined) return outcome;
      if (this.#clock.now() >= untilMs) throw noAnswer(wasSent ? otherwise : "unavailable");
      await this.#client.pause(retryMs);
    }
  }

  /** Undefined: it may be another answer in a moment. Throws for others. */
  #refused(error: ApiError): undefined {
    const { description = "no reason", err_code: code = 0 } = error;
    const why = `${loggableText(description)} (error ${code})`;
    if (noSpace.includes(code) || (code === storeFailed && description.includes("exceeded"))) {
      const text = `NATS has no space for mail: ${why}. Give the stream more (nats stream edit --max-bytes), or the servers (max_file_store).`;
      throw new StoreError("full", text);
    }
    if (isTemporaryError(error) || code === storeFailed) return undefined;
    throw new StoreError("unavailable", `NATS refuses to work on a stream of mail: ${why}.`);
  }

  #assertFits(bytes: number): void {
    const { maxPayload } = this.#client;
    if (bytes <= maxPayload) return;
    const text = `A message of ${bytes} bytes with its headers is longer than NATS takes: ${maxPayload} bytes. Raise max_payload in the configuration of all its servers (up to 8 MB), or send less.`;
    throw new StoreError("too-large", text);
  }
}

function noAnswer(code: StoreErrorCode): StoreError {
  const text = `NATS has not answered for ${patienceMs / 1_000} s. See that its servers run and have a leader: nats server report jetstream.`;
  return new StoreError(code, text);
}

function isTemporaryError({ code, err_code }: ApiError): boolean {
  return code === 503 || code === 429 || err_code === streamNotFound || err_code === messageInProcess;
}

/** Of one subject. What is full as a whole has other texts. */
function isFullSubject({ err_code, description = "" }: ApiError): boolean {
  return err_code === storeFailed && description.includes("per subject");
}

function isGone({ err_code, description = "" }: ApiError): boolean {
  if (err_code === sequenceNotFound || err_code === messageNotFound) return true;
  return err_code === deleteFailed && /not found|no message|deleted/.test(description);
}

function sizeOf(headers: MsgHdrs): number {
  let bytes = "NATS/1.0\r\n\r\n".length;
  for (const name of headers.keys()) bytes += name.length + 4 + headers.get(name).length;
  return bytes;
}
