import { decodeFrame, type Frame, type WireEvent } from "../../src/protocol/index.ts";
import { isForRecipientsAlone, recipientsIn } from "../../src/protocol/internal.ts";
import type { Dialer } from "../../src/transport/index.ts";
import { aroundStreams } from "./around-streams.ts";
import type { Ledger } from "./ledger.ts";

/** What may be said on one data channel, seen at the worker's end: each request and each event once, each answer once and to its request. */
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

  constructor(name: string, ledger: Ledger) {
    this.#name = name;
    this.#ledger = ledger;
  }

  sent(frame: Frame): void {
    this.#ledger.trace.note(`${this.#name} > ${describe(frame)}`);
    this.#ledger.hearing.sees(frame);
    if (frame.kind === "request") this.#open(this.#asked, frame.requestId, "sent");
    else if (frame.kind === "response") this.#answer(this.#asking, frame.requestId, "sent");
    else if (frame.kind === "event") this.#publish(frame.event);
    else if (frame.kind === "returned") this.#giveBack(decodeFrame(frame.message));
  }

  received(frame: Frame): void {
    this.#ledger.trace.note(`${this.#name} < ${describe(frame)}`);
    this.#ledger.hearing.sees(frame);
    if (frame.kind === "request") this.#open(this.#asking, frame.requestId, "received");
    else if (frame.kind === "response") this.#answer(this.#asked, frame.requestId, "received");
    else if (frame.kind === "event") this.#event(frame.event);
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
    if (frame.kind === "request") this.#asking.delete(frame.requestId);
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
    case "event":
      return `event ${frame.event.id} on ${frame.event.topicType}`;
    default:
      return frame.kind;
  }
}
