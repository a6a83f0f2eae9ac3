import type { MemoryAccount } from "../../accounting/memory-account.ts";
import { oversizeStatus } from "../../calls/call-errors.ts";
import { RpcError, type RpcStatus, StatusCode } from "../../rpc-status.ts";
import { type Inflate, inflateHead } from "./compression.ts";
import { FrameParser, type SkippedMessage } from "./frame-parser.ts";

/** Counters of discarded messages. */
export interface MessageCounters {
  oversizeMessages: number;
  badMessages: number;
  refusedMessages: number;
  unfinishedMessages: number;
}

export interface MessageReaderOptions {
  /** Limit of one message in bytes, before and after decompression. */
  readonly maxMessageBytes: number;
  readonly inflate: Inflate;
  readonly onMessage: (message: Uint8Array) => void;
  /**
   * Called for a discarded message; later messages are not affected. `head` holds its first bytes if they are known.
   * `isOverload`: there was no space for it; otherwise the message is at fault.
   */
  readonly onBadMessage: (status: RpcStatus, head?: Uint8Array, isOverload?: boolean) => void;
  /** Account for the bytes of an unfinished message. Default: none. */
  readonly account?: MemoryAccount | undefined;
  /** First bytes of a discarded message that `onBadMessage` waits for. Default: `HEAD_BYTES`. */
  readonly headBytes?: number;
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
        if (this.#isCounting) this.#counted += 1;
        else this.#skip(skipped);
      },
    };
    this.#parser = new FrameParser(sink, options);
  }

  /** The number of the message of which the reader keeps bytes or waits for them. 0: no message is unfinished. */
  get unfinished(): number {
    return this.#parser.unfinished;
  }

  /** Bytes of the unfinished message that have arrived. */
  get arrivedBytes(): number {
    return this.#parser.arrivedBytes;
  }

  /** Discards the unfinished message, because its bytes come too slowly. */
  giveUp(): void {
    this.#parser.giveUp("too-slow");
  }

  /** Reads `chunk` from `from` on. Returns where it has stopped: behind the chunk, unless `halt` was called meanwhile. */
  push(chunk: Uint8Array, from?: number): number {
    return this.#parser.push(chunk, from);
  }

  /** Reads no further in the present chunk, for now. To be called in `onMessage` or `onBadMessage`. */
  halt(): void {
    this.#parser.halt();
  }

  /** The peer sends no more: reports an incomplete message as bad. */
  end(): void {
    this.#parser.end();
    if (!this.#parser.isMidMessage) return;
    this.#refuse({ code: StatusCode.internal, details: "The stream ended in the middle of a message." });
  }

  /** Number of messages since `countOnly`. The receiver does not get them. */
  get counted(): number {
    return this.#counted;
  }

  /** From now on the reader only counts messages. It keeps nothing of them. */
  countOnly(): void {
    this.#isCounting = true;
    this.#parser.countOnly();
  }

  /** Stops reading. */
  close(): void {
    this.#parser.close();
  }

  #skip(skipped: SkippedMessage): void {
    const { counters, onBadMessage, account } = this.#options;
    const head = skipped.flag === 0 ? skipped.head : skipped.flag === 1 ? inflateHead(skipped.head) : undefined;
    switch (skipped.why) {
      case "too-large":
        return this.#refuse(oversizeStatus(skipped.announcedBytes, this.#options.maxMessageBytes), head);
      case "bad-flag":
        return this.#refuse(badFlag(skipped));
      case "no-room":
        if (counters !== undefined) counters.refusedMessages += 1;
        return onBadMessage(noRoom(skipped, account), head, true);
      case "too-slow":
        if (counters !== undefined) counters.unfinishedMessages += 1;
        return onBadMessage(tooSlow(skipped), head);
    }
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
      this.#refuse(error.status, inflateHead(message));
      return undefined;
    }
  }
}

function badFlag({ flag }: SkippedMessage): RpcStatus {
  return { code: StatusCode.internal, details: `A message has the unknown compression flag ${flag}.` };
}

function noRoom({ announcedBytes }: SkippedMessage, account: MemoryAccount | undefined): RpcStatus {
  const why = account?.whyNot(announcedBytes) ?? "";
  return { code: StatusCode.resourceExhausted, details: `A message of ${announcedBytes} bytes finds no space. ${why}` };
}

function tooSlow({ announcedBytes }: SkippedMessage): RpcStatus {
  const details = `A message of ${announcedBytes} bytes came too slowly (messageTimeoutMs): the rest of it is not kept.`;
  return { code: StatusCode.deadlineExceeded, details };
}
