import { constants, type Http2Stream } from "node:http2";
import type { MemoryAccount } from "../../accounting/memory-account.ts";
import type { MessageLimits } from "../../limits.ts";
import type { StreamEnd, StreamReceiver } from "../../link.ts";
import { nextTick } from "../../real-time.ts";
import type { FairShare } from "../connection/fair-share.ts";
import type { MessageSource, UnfinishedMessages } from "../connection/unfinished-messages.ts";
import type { Inflate } from "./compression.ts";
import { FrameWriter } from "./frame-writer.ts";
import { MessageReader, type MessageReaderOptions } from "./message-reader.ts";
import { UnreadBytes } from "./unread-bytes.ts";

export interface MessagePipeOptions extends Pick<MessageReaderOptions, "account" | "counters"> {
  readonly limits: MessageLimits;
  /** Share of the process that the stream's connection may use. Default: no limit. */
  readonly fairShare?: FairShare;
  /** Gives up messages that come too slowly. Default: none is given up. */
  readonly unfinished?: UnfinishedMessages;
  /** Called when the receiver has paused the stream and Node buffers more of it than the account has space for. */
  readonly onNoRoom?: (account: MemoryAccount) => void;
  /** Called when the receiver throws, which it must not. */
  readonly onReceiverFailure: (error: unknown) => void;
}

/** Common part of client and server streams: messages over one HTTP/2 stream, a receiver, and exactly one end. */
export class MessagePipe implements MessageSource {
  readonly writer: FrameWriter;
  readonly #http2: Http2Stream;
  readonly #receiver: StreamReceiver;
  readonly #limits: MessageLimits;
  readonly #onReceiverFailure: (error: unknown) => void;
  readonly #options: MessagePipeOptions;
  readonly #unread: UnreadBytes | undefined;
  #reader: MessageReader | undefined;
  #isPaused = false;
  #isWaiting = false;
  #hasEnded = false;
  #isReading = false;
  #isCounting = false;
  #unreadFrames = 0;
  #receivedBytes = 0;

  constructor(http2: Http2Stream, receiver: StreamReceiver, options: MessagePipeOptions) {
    this.#options = options;
    this.#http2 = http2;
    this.#receiver = receiver;
    this.#limits = options.limits;
    this.#onReceiverFailure = options.onReceiverFailure;
    this.writer = new FrameWriter(http2, {
      highWaterBytes: this.#limits.highWaterBytes,
      maxMessageBytes: this.#limits.maxSendMessageBytes,
      account: options.account,
      onDrain: () => this.tell(() => receiver.onDrain()),
    });
    http2.once("close", () => this.#reportLate());
    const { account, onNoRoom } = options;
    // What waits for its turn is read on, so that its messages are refused one by one. What the receiver does not want is not.
    this.#unread =
      account && new UnreadBytes(http2, account, () => (this.#isPaused ? onNoRoom?.(account) : this.#goOn()));
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** After the end: messages that had arrived before it and were not read. */
  get unreadFrames(): number {
    return this.#unreadFrames;
  }

  /** Bytes that have come and were read. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Starts to pass messages to the receiver; calls `onPeerDone` after the last one. */
  startReading(inflate: Inflate, onPeerDone: () => void): void {
    const receiver = this.#receiver;
    const { account, counters } = this.#options;
    const reader = new MessageReader({
      maxMessageBytes: this.#limits.maxReceiveMessageBytes,
      inflate,
      account,
      counters,
      // One read may hold many messages, and the receiver may end the stream at any of them.
      onMessage: (message) => {
        if (!this.#hasEnded) receiver.onFrame(message);
      },
      onBadMessage: (status, head, isOverload) => {
        if (!this.#hasEnded) receiver.onBadFrame(status, head, isOverload);
      },
    });
    this.#reader = reader;
    this.#http2.on("data", (chunk: Uint8Array) => this.#read(reader, chunk));
    this.#http2.on("end", () => {
      // Node also emits "end" for a stream that was reset. That is not a half-close; "close" reports it.
      if (this.#http2.destroyed || this.#http2.rstCode !== constants.NGHTTP2_NO_ERROR) return;
      this.tell(() => {
        reader.end();
        if (!this.#hasEnded) onPeerDone();
      });
    });
  }

  get unfinished(): number {
    return this.#hasEnded ? 0 : (this.#reader?.unfinished ?? 0);
  }

  get arrivedBytes(): number {
    return this.#reader?.arrivedBytes ?? 0;
  }

  get isHeldBack(): boolean {
    return this.#isPaused || this.#isWaiting;
  }

  /** Discards the unfinished message: its bytes come too slowly. */
  giveUp(): void {
    this.tell(() => this.#reader?.giveUp());
  }

  pause(): void {
    this.#isPaused = true;
    if (this.#hasEnded) return;
    this.#http2.pause();
    this.#unread?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (!this.#hasEnded && !this.#isWaiting) this.#goOn();
  }

  #goOn(): void {
    this.#unread?.release();
    this.#http2.resume();
  }

  /**
   * Ends the stream: the receiver gets no more messages. Reports the end in the next tick, so that the receiver is not
   * re-entered.
   */
  end(end: StreamEnd): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.writer.close();
    this.#unread?.release();
    this.#options.unfinished?.forget(this);
    this.#reader?.countOnly();
    // A chunk that is being read comes before those that wait.
    if (!this.#isReading) this.#unreadFrames = this.#countUnread();
    nextTick(() => this.#callEnded(() => this.#receiver.onEnd(end)));
  }

  /** Reports the messages that came after the end of the stream, until the peer knew of it. */
  #reportLate(): void {
    if (!this.#hasEnded) return;
    const late = this.#countUnread() - this.#unreadFrames;
    if (late > 0) nextTick(() => this.#callEnded(() => this.#receiver.onLate?.(late)));
  }

  #callEnded(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#onReceiverFailure(error);
    }
  }

  /** Counts what Node has received and the receiver has not read, and returns the number of all unread messages. */
  #countUnread(): number {
    const reader = this.#reader;
    if (reader === undefined) return 0;
    this.#isCounting = true;
    for (const chunk of unreadChunks(this.#http2)) reader.push(chunk);
    this.#isCounting = false;
    return reader.counted;
  }

  #read(reader: MessageReader, chunk: Uint8Array): void {
    if (this.#hasEnded) {
      // Counting what waits emits "data" too.
      if (!this.#isCounting) reader.push(chunk);
      return;
    }
    this.#receivedBytes += chunk.length;
    const { fairShare, unfinished } = this.#options;
    const read = () => {
      this.#isReading = true;
      let isWhole = false;
      this.tell(() => {
        reader.push(chunk);
        isWhole = true;
      });
      this.#isReading = false;
      // A receiver that throws leaves the rest of the chunk unread, so that the next one begins anywhere.
      if (!isWhole) reader.close();
      if (this.#hasEnded) this.#unreadFrames = this.#countUnread();
    };
    if (fairShare === undefined) return read();
    const isUsedUp = fairShare.spend(read);
    if (reader.unfinished !== 0 && !this.#hasEnded) unfinished?.watch(this);
    if (!isUsedUp || this.#isWaiting || this.#hasEnded) return;
    this.#isWaiting = true;
    this.#http2.pause();
    this.#unread?.halt();
    fairShare.wait(() => {
      this.#isWaiting = false;
      // An ended stream must be drained so that it can close.
      if (this.#hasEnded) this.#http2.resume();
      else if (!this.#isPaused) this.#goOn();
    });
  }

  /** Calls the receiver, unless the stream has ended. */
  tell(event: () => void): void {
    if (this.#hasEnded) return;
    try {
      event();
    } catch (error) {
      this.#onReceiverFailure(error);
    }
  }
}

/** Yields the chunks that Node has received and the receiver has not read. */
function* unreadChunks(http2: Http2Stream): Iterable<Uint8Array> {
  for (let chunk: Uint8Array | null = http2.read(); chunk !== null; chunk = http2.read()) yield chunk;
}
