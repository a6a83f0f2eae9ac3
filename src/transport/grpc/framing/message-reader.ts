import { oversizeStatus } from "../../calls/call-errors.ts";
import { RpcError, type RpcStatus, StatusCode } from "../../rpc-status.ts";
import type { ByteBudget } from "../connection/byte-budget.ts";
import type { Inflate } from "./compression.ts";
import { FrameParser, type SkippedMessage } from "./frame-parser.ts";

/** Counters of discarded messages. */
export interface MessageCounters {
  oversizeMessages: number;
  badMessages: number;
}

export interface MessageReaderOptions {
  /** Limit of one message in bytes, before and after decompression. */
  readonly maxMessageBytes: number;
  readonly inflate: Inflate;
  readonly onMessage: (message: Uint8Array) => void;
  /**
   * Called for a discarded message; later messages are not affected. `head` holds its first bytes if they are known.
   */
  readonly onBadMessage: (status: RpcStatus, head?: Uint8Array) => void;
  /** Budget for the bytes of an unfinished message. Default: none. */
  readonly budget?: ByteBudget | undefined;
  readonly counters?: MessageCounters | undefined;
}

/** The receiving half of a stream: turns bytes into decompressed messages, and bad messages into statuses, in order. */
export class MessageReader {
  readonly #options: MessageReaderOptions;
  readonly #parser: FrameParser;
  #isCounting = false;
  #counted = 0;

  constructor(options: MessageReaderOptions) {
    this.#options = options;
    const sink = {
      onMessage: (message: Uint8Array, isCompressed: boolean) => {
        if (this.#isCounting) this.#counted += 1;
        else this.#deliver(message, isCompressed);
      },
      onSkipped: (skipped: SkippedMessage) => {
        if (!this.#isCounting) this.#refuse(skippedStatus(skipped, options.maxMessageBytes), skipped.head);
      },
    };
    this.#parser = new FrameParser(sink, options.maxMessageBytes, options.budget);
  }

  push(chunk: Uint8Array): void {
    this.#parser.push(chunk);
  }

  /** The peer sends no more: reports an incomplete message as bad. */
  end(): void {
    if (!this.#parser.isMidMessage) return;
    this.#refuse({ code: StatusCode.internal, details: "The stream ended in the middle of a message." });
  }

  /** Stops reading. Returns the number of whole messages in `unread`, which the receiver will not get. */
  close(unread: Iterable<Uint8Array> = []): number {
    this.#isCounting = true;
    for (const chunk of unread) this.#parser.push(chunk);
    this.#parser.close();
    return this.#counted;
  }

  #refuse(status: RpcStatus, head?: Uint8Array): void {
    const { counters, onBadMessage } = this.#options;
    if (counters !== undefined)
      counters[status.code === StatusCode.resourceExhausted ? "oversizeMessages" : "badMessages"] += 1;
    onBadMessage(status, head);
  }

  #deliver(message: Uint8Array, isCompressed: boolean): void {
    const readable = isCompressed ? this.#inflate(message) : message;
    if (readable !== undefined) this.#options.onMessage(readable);
  }

  #inflate(message: Uint8Array): Uint8Array | undefined {
    try {
      return this.#options.inflate(message, this.#options.maxMessageBytes);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      this.#refuse(error.status);
      return undefined;
    }
  }
}

function skippedStatus(skipped: SkippedMessage, maxMessageBytes: number): RpcStatus {
  if (skipped.why === "bad-flag") {
    return { code: StatusCode.internal, details: `A message has the unknown compression flag ${skipped.flag}.` };
  }
  if (skipped.why === "no-room") {
    return {
      code: StatusCode.resourceExhausted,
      details: `A message of ${skipped.announcedBytes} bytes finds no room beside other unfinished messages of its connection.`,
    };
  }
  return oversizeStatus(skipped.announcedBytes, maxMessageBytes);
}
