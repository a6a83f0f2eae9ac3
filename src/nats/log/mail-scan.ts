import type { MailReceiver } from "../../core/internal.ts";
import { StoreError } from "../../core/internal.ts";
import { hasName } from "../api-answer.ts";
import type { Msg } from "../driver.ts";
import type { NatsClient } from "../nats-client.ts";
import { nanosPerMs } from "../open-stream.ts";
import { readMailbox, sizeIn } from "./mail-headers.ts";
import { placeOf } from "./shard-consumer.ts";
import type { StreamAsks } from "./stream-asks.ts";

/** Messages whose headers one question asks for. */
const pageMessages = 256;
/** Milliseconds after which the server forgets a consumer that asks no more. */
const forgottenAfterMs = 10_000;

interface Scan {
  readonly consumer: string;
  /** The last place that it has come to. */
  place: number;
}

/** Reads which agents have mail, from the headers of the messages alone. */
export class MailScan {
  readonly #client: NatsClient;
  readonly #asks: StreamAsks;
  readonly #stream: string;
  readonly #filter: string;
  #scan: Scan | undefined;

  constructor(client: NatsClient, asks: StreamAsks, stream: string, filter: string) {
    this.#client = client;
    this.#asks = asks;
    this.#stream = stream;
    this.#filter = filter;
  }

  /** Reads on behind a place until it has found agents that are wanted. Empty: there are no more. Rejects with a `StoreError`. */
  async page(after: number, isWanted: (receiver: MailReceiver) => boolean): Promise<readonly MailReceiver[]> {
    let from = after;
    for (;;) {
      const { messages, isLast } = await this.#read(from);
      const found = messages.flatMap((message) => receiverIn(message) ?? []).filter((each) => isWanted(each));
      if (found.length > 0 || isLast) return found;
      from = this.#scan?.place ?? from;
    }
  }

  async #read(after: number): Promise<{ readonly messages: readonly Msg[]; readonly isLast: boolean }> {
    const scan = this.#scan?.place === after ? this.#scan : await this.#begin(after);
    this.#scan = scan;
    let count = 0;
    const isEnd = ({ headers }: Msg) => {
      if ((headers?.code ?? 0) >= 400) return true;
      count += 1;
      return count === pageMessages;
    };
    const api = `$JS.API.CONSUMER.MSG.NEXT.${this.#stream}.${scan.consumer}`;
    const answers = await this.#client.requestMany(api, { batch: pageMessages, no_wait: true }, isEnd);
    // The next page begins anew, at its place.
    this.#scan = undefined;
    if (answers === undefined) throw new StoreError("unavailable", "NATS does not say which agents have mail.");
    const messages = answers.filter(({ headers }) => (headers?.code ?? 0) < 400);
    const status = answers.find(({ headers }) => (headers?.code ?? 0) >= 400)?.headers;
    const isGone =
      status !== undefined &&
      status.code !== 404 &&
      status.code !== 408 &&
      !/batch completed/i.test(status.description);
    if (isGone) throw new StoreError("unavailable", "NATS has ended the reading of which agents have mail.");
    const last = placeOf(messages.at(-1)?.reply);
    if (last !== undefined) this.#scan = { consumer: scan.consumer, place: last.place };
    return { messages, isLast: messages.length < pageMessages };
  }

  async #begin(after: number): Promise<Scan> {
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
    if ("value" in answer) return { consumer: answer.value.name, place: after };
    throw new StoreError("unavailable", "NATS makes no consumer that says which agents have mail.");
  }
}

function receiverIn({ headers, reply }: Msg): MailReceiver | undefined {
  const mailbox = headers && readMailbox(headers);
  const at = placeOf(reply);
  if (headers === undefined || mailbox === undefined || at === undefined) return undefined;
  return { mailbox, place: at.place, bytes: sizeIn(headers) };
}
