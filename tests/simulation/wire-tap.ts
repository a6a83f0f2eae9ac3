import { chunkOverheadBytes } from "../../src/core/internal.ts";
import { decodeFrame, type Frame, type RequestFrame, type WireEvent } from "../../src/protocol/index.ts";
import {
  type ChunkFrame,
  type CreditFrame,
  isForRecipientsAlone,
  recipientsIn,
  windowOf,
} from "../../src/protocol/internal.ts";
import type { Dialer } from "../../src/transport/index.ts";
import { aroundStreams } from "./around-streams.ts";
import type { Ledger } from "./ledger.ts";

/**
 * What may be said on one data channel, seen at the worker's end: each request and each event once, each answer once and to its request. Chunks
 * come in order and before the answer, and at most one beyond what their reader has granted.
 */
export function tapped(dialer: Dialer, name: string, ledger: Ledger): Dialer {
  let channels = 0;
  return aroundStreams(dialer, () => {
    channels += 1;
    // While a worker changes its connection, it has two channels: the trace tells which one a frame took.
    const book = new ChannelBook(`${name}~${channels}`, ledger);
    return {
      out: (bytes, pass, stream) => {
        const isWritable = pass(bytes);
        // A stream that has ended takes nothing.
        if (isWritable || stream.queuedBytes > 0) book.sent(decodeFrame(bytes));
        return isWritable;
      },
      in: (bytes, pass) => {
        book.received(decodeFrame(bytes));
        pass(bytes);
      },
    };
  });
}

/** The frames of one session. */
class ChannelBook {
  readonly #name: string;
  readonly #ledger: Ledger;
  /** Request ids, and whether each has been answered. */
  readonly #asked = new Map<string, boolean>();
  readonly #asking = new Map<string, boolean>();
  readonly #events = new Set<string>();
  /** The next chunks of the answers that this worker sends, by the requests. */
  readonly #sending = new Map<string, number>();
  readonly #reading = new Map<string, { next: number; receivedBytes: number; grantedBytes: number }>();

  constructor(name: string, ledger: Ledger) {
    this.#name = name;
    this.#ledger = ledger;
  }

  sent(frame: Frame): void {
    this.#ledger.trace.note(`${this.#name} > ${describe(frame)}`);
    this.#ledger.hearing.sees(frame);
    if (frame.kind === "request") this.#ask(frame);
    else if (frame.kind === "chunk") this.#sendChunk(frame);
    else if (frame.kind === "credit") this.#grant(frame);
    else if (frame.kind === "response") this.#answer(this.#asking, frame.requestId, "sent");
    else if (frame.kind === "event") this.#publish(frame.event);
    else if (frame.kind === "returned") this.#giveBack(decodeFrame(frame.message));
  }

  received(frame: Frame): void {
    this.#ledger.trace.note(`${this.#name} < ${describe(frame)}`);
    this.#ledger.hearing.sees(frame);
    if (frame.kind === "request") this.#open(this.#asking, frame.requestId, "received");
    else if (frame.kind === "response") this.#answer(this.#asked, frame.requestId, "received");
    else if (frame.kind === "chunk") this.#readChunk(frame);
    else if (frame.kind === "event") this.#event(frame.event);
  }

  #ask({ requestId, metadata }: RequestFrame): void {
    this.#open(this.#asked, requestId, "sent");
    const grantedBytes = windowOf(metadata);
    if (grantedBytes > 0) this.#reading.set(requestId, { next: 0, receivedBytes: 0, grantedBytes });
  }

  #grant({ requestId, bytes }: CreditFrame): void {
    const stream = this.#reading.get(requestId);
    if (stream === undefined) return;
    if (bytes < stream.grantedBytes) this.#breach(`${bytes} bytes were granted to ${requestId} after more`);
    stream.grantedBytes = Math.max(stream.grantedBytes, bytes);
  }

  #sendChunk({ requestId, offset }: ChunkFrame): void {
    const next = this.#sending.get(requestId) ?? 0;
    if (this.#asking.get(requestId) !== false) this.#breach(`a chunk of ${requestId} was sent behind its answer`);
    if (offset !== next) this.#breach(`chunk ${offset} of ${requestId} was sent in place of ${next}`);
    this.#sending.set(requestId, next + 1);
  }

  #readChunk({ requestId, offset, data }: ChunkFrame): void {
    const stream = this.#reading.get(requestId);
    if (stream === undefined) return this.#breach(`a chunk came for ${requestId}, which asked for none`);
    if (this.#asked.get(requestId) !== false) this.#breach(`a chunk of ${requestId} came behind its answer`);
    if (offset !== stream.next) this.#breach(`chunk ${offset} of ${requestId} came in place of ${stream.next}`);
    if (stream.receivedBytes >= stream.grantedBytes) this.#breach(`a chunk of ${requestId} came beyond its window`);
    stream.next = offset + 1;
    stream.receivedBytes += data.length + chunkOverheadBytes;
  }

  #open(requests: Map<string, boolean>, requestId: string, how: string): void {
    if (requests.has(requestId)) this.#breach(`request ${requestId} was ${how} twice`);
    requests.set(requestId, false);
  }

  /** A durable event is a request. */
  #publish({ attributes: { agrequest } }: WireEvent): void {
    if (agrequest !== undefined) this.#open(this.#asked, agrequest, "sent");
  }

  #answer(requests: Map<string, boolean>, requestId: string, how: string): void {
    const isAnswered = requests.get(requestId);
    if (isAnswered === undefined) this.#breach(`an answer to ${requestId} was ${how}, and there was no such request`);
    if (isAnswered) this.#breach(`request ${requestId} was answered twice (${how})`);
    requests.set(requestId, true);
  }

  /** The host may send it to this worker again. */
  #giveBack(frame: Frame): void {
    if (frame.kind !== "request") return;
    this.#asking.delete(frame.requestId);
    this.#sending.delete(frame.requestId);
  }

  /** It comes once for all agents of exclusive types, and once for each activation of a shared one. */
  #event({ id, attributes }: WireEvent): void {
    const shared = [...recipientsIn(attributes)].map(([type, epoch]) => `${type} ${JSON.stringify(epoch)}`);
    for (const recipient of isForRecipientsAlone(attributes) ? shared : ["", ...shared]) {
      const name = `${id} ${recipient}`;
      if (this.#events.has(name)) this.#breach(`event ${id} was delivered twice in one session, for "${recipient}"`);
      this.#events.add(name);
    }
  }

  #breach(text: string): void {
    this.#ledger.breach("wire", `${this.#name}: ${text}`);
  }
}

function describe(frame: Frame): string {
  switch (frame.kind) {
    case "request":
      return `request ${frame.requestId} to ${frame.target?.type}/${frame.target?.key}`;
    case "response":
      return `response ${frame.requestId} ${frame.error}`;
    case "chunk":
      return `chunk ${frame.offset} of ${frame.requestId}`;
    case "credit":
      return `credit ${frame.bytes} for ${frame.requestId}`;
    case "event":
      return `event ${frame.event.id} on ${frame.event.topicType}`;
    default:
      return frame.kind;
  }
}
