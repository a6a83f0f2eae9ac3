import { StoreError } from "../../core/internal.ts";
import { hasName } from "../api-answer.ts";
import type { Msg } from "../driver.ts";
import type { NatsClient } from "../nats-client.ts";
import { nanosPerMs } from "../open-stream.ts";
import { placeOf } from "./shard-consumer.ts";
import type { StreamAsks } from "./stream-asks.ts";

/** Messages whose headers one question asks for. */
const pageMessages = 256;
/** Milliseconds after which the server forgets a consumer that asks no more. */
const forgottenAfterMs = 10_000;

interface Consumer {
  readonly name: string;
  /** The last place that it has come to. */
  readonly place: number;
}

/** One page of headers. */
export interface HeaderPage {
  readonly messages: readonly Msg[];
  /** The place up to which was read. */
  readonly place: number;
  readonly isLast: boolean;
}

/** Reads the headers of the messages of some subjects, in pages. */
export class HeaderPages {
  readonly #client: NatsClient;
  readonly #asks: StreamAsks;
  readonly #stream: string;
  readonly #filter: string;
  #consumer: Consumer | undefined;

  constructor(client: NatsClient, asks: StreamAsks, stream: string, filter: string) {
    this.#client = client;
    this.#asks = asks;
    this.#stream = stream;
    this.#filter = filter;
  }

  /** Reads the page behind a place. Rejects with a `StoreError`. */
  async read(after: number): Promise<HeaderPage> {
    const before = this.#consumer?.place === after ? this.#consumer : undefined;
    this.#consumer = undefined;
    // The server may have forgotten the consumer of the last page.
    const page = before && (await this.#readFrom(before));
    const read = page ?? (await this.#readFrom(await this.#begin(after)));
    if (read === undefined) throw new StoreError("unavailable", "NATS does not say which agents have mail.");
    return read;
  }

  /** Undefined: the consumer does not answer. */
  async #readFrom({ name, place: after }: Consumer): Promise<HeaderPage | undefined> {
    let count = 0;
    const isEnd = ({ headers }: Msg) => {
      if ((headers?.code ?? 0) >= 400) return true;
      count += 1;
      return count === pageMessages;
    };
    const api = `$JS.API.CONSUMER.MSG.NEXT.${this.#stream}.${name}`;
    const answers = await this.#client.requestMany(api, { batch: pageMessages, no_wait: true }, isEnd);
    const status = answers?.find(({ headers }) => (headers?.code ?? 0) >= 400)?.headers;
    const isGone =
      status !== undefined &&
      status.code !== 404 &&
      status.code !== 408 &&
      !/batch completed/i.test(status.description);
    if (answers === undefined || isGone) return undefined;
    const messages = answers.filter(({ headers }) => (headers?.code ?? 0) < 400);
    const place = placeOf(messages.at(-1)?.reply)?.place ?? after;
    this.#consumer = { name, place };
    return { messages, place, isLast: messages.length < pageMessages };
  }

  async #begin(after: number): Promise<Consumer> {
    const answer = await this.#asks.ask<{ readonly name: string }>(
      `CONSUMER.CREATE.${this.#stream}`,
      {
        stream_name: this.#stream,
        config: {
          ...{
            filter_subject: this.#filter,
            headers_only: true,
            ack_policy: "none",
            mem_storage: true,
            num_replicas: 1,
          },
          ...{ deliver_policy: "by_start_sequence", opt_start_seq: Math.max(0, after) + 1 },
          inactive_threshold: forgottenAfterMs * nanosPerMs,
        },
      },
      hasName,
    );
    if ("value" in answer) return { name: answer.value.name, place: after };
    throw new StoreError("unavailable", "NATS makes no consumer that says which agents have mail.");
  }
}
