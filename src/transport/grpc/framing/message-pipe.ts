import { constants, type Http2Stream } from "node:http2";
import type { MemoryAccount } from "../../accounting/memory-account.ts";
import type { MessageLimits } from "../../limits.ts";
import type { StreamEnd, StreamReceiver } from "../../link.ts";
import { nextTick } from "../../real-time.ts";
import type { MessageSource, UnfinishedMessages } from "../connection/unfinished-messages.ts";
import type { Lane } from "../turns/lane.ts";
import type { Inflate } from "./compression.ts";
import { FrameWriter } from "./frame-writer.ts";
import { MessageReader, type MessageReaderOptions } from "./message-reader.ts";
import { UnreadBytes } from "./unread-bytes.ts";

export interface MessagePipeOptions extends Pick<MessageReaderOptions, "account" | "counters"> {
  readonly limits: MessageLimits;
  /** Turns of the stream's connection. Default: all is read at once. */
  readonly lane?: Lane;
  /** Gives up messages that come too slowly. Default: none is given up. */
  readonly unfinished?: UnfinishedMessages;
  /** Called when the receiver has paused the stream and Node buffers more of it than the account has space for. */
  readonly onNoRoom?: (account: MemoryAccount) => void;
  /** Called when the receiver throws, which it must not. */
  readonly onReceiverFailure: (error: unknown) => void;
}

/** Time after which a stream looks at its connection's share, in milliseconds, and messages after which it does in any case. */
const LOOK_MS = 0.25;
const MAX_UNSEEN = 16;
/** Bytes that count as one message more. */
const LONG_BYTES = 4_096;

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
  /** The chunk that is being read or waits for its turn, and the place from which on it is left. */
  #rest: Uint8Array | undefined;
  #restFrom = 0;
  /** The peer has sent all, and part of it waits. */
  #isPeerDone = false;
  #perLook = 1;
  #unseen = 0;
  #hasEnded = false;
  #isReading = false;
  #isCounting = false;
  #onPeerDone: () => void = () => undefined;
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
    this.#unread = account && new UnreadBytes(http2, account, () => onNoRoom?.(account));
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
        this.#look(message.byteLength);
      },
      onBadMessage: (status, head, isOverload) => {
        if (!this.#hasEnded) receiver.onBadFrame(status, head, isOverload);
        this.#look(0);
      },
    });
    this.#reader = reader;
    this.#onPeerDone = onPeerDone;
    this.#http2.on("data", (chunk: Uint8Array) => this.#read(chunk));
    this.#http2.on("end", () => {
      // Node also emits "end" for a stream that was reset. That is not a half-close; "close" reports it.
      if (this.#http2.destroyed || this.#http2.rstCode !== constants.NGHTTP2_NO_ERROR) return;
      // Node tells it although the stream is paused.
      if (this.#rest === undefined) this.#endReading();
      else this.#isPeerDone = true;
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
    this.#unread?.pause(this.#restBytes);
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#hasEnded || this.#isWaiting) return;
    if (this.#rest === undefined) this.#goOn();
    else this.#wait();
  }

  #goOn(): void {
    this.#unread?.release();
    this.#http2.resume();
    if (this.#isPeerDone) this.#endReading();
  }

  #endReading(): void {
    this.#isPeerDone = false;
    this.tell(() => {
      this.#reader?.end();
      if (!this.#hasEnded) this.#onPeerDone();
    });
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

  /** Counts what has arrived and the receiver has not read, and returns the number of all unread messages. */
  #countUnread(): number {
    const reader = this.#reader;
    if (reader === undefined) return 0;
    this.#isCounting = true;
    for (const chunk of this.#unreadChunks()) reader.push(chunk);
    this.#isCounting = false;
    return reader.counted;
  }

  #read(chunk: Uint8Array): void {
    if (this.#hasEnded) {
      // Counting what waits emits "data" too.
      if (!this.#isCounting) this.#reader?.push(chunk);
      return;
    }
    this.#receivedBytes += chunk.byteLength;
    const { lane } = this.#options;
    lane?.see(chunk.byteLength);
    this.#rest = chunk;
    this.#restFrom = 0;
    if (lane === undefined) this.#readRest();
    else if (lane.isFree) lane.run(this.#readRest);
    else this.#wait();
  }

  /** Reads what is left of the chunk, until the connection's share is used up. */
  readonly #readRest = (): void => {
    const reader = this.#reader;
    const chunk = this.#rest;
    const from = this.#restFrom;
    this.#rest = undefined;
    if (reader === undefined || chunk === undefined || this.#hasEnded) return;
    let at: number | undefined;
    this.#isReading = true;
    this.tell(() => {
      at = reader.push(chunk, from);
    });
    this.#isReading = false;
    // A receiver that throws leaves the rest of the chunk unread, so that the next one begins anywhere.
    if (at === undefined) reader.close();
    if (this.#hasEnded) {
      this.#unreadFrames = this.#countUnread();
      return;
    }
    if (reader.unfinished !== 0) this.#options.unfinished?.watch(this);
    if (at !== undefined && at < chunk.byteLength) {
      this.#rest = chunk;
      this.#restFrom = at;
    }
    // A connection that is not read may still have data here.
    if (this.#options.lane?.isHeld === true) this.#wait();
  };

  /** Continues in the connection's turn. */
  #wait(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#http2.pause();
    this.#unread?.halt(this.#restBytes);
    this.#options.lane?.queue(this.#onTurn);
  }

  readonly #onTurn = (): void => {
    this.#isWaiting = false;
    // An ended stream must be drained so that it can close.
    if (this.#hasEnded) this.#http2.resume();
    if (this.#hasEnded || this.#isPaused) return;
    this.#readRest();
    if (!this.#hasEnded && !this.#isWaiting && !this.#isPaused) this.#goOn();
  };

  get #restBytes(): number {
    return this.#rest === undefined ? 0 : this.#rest.byteLength - this.#restFrom;
  }

  /** Looks at the connection's share, after every few messages or a dear one. */
  #look(bytes: number): void {
    const { lane } = this.#options;
    if (lane === undefined) return;
    this.#unseen += 1 + Math.floor(bytes / LONG_BYTES);
    if (this.#unseen < this.#perLook) return;
    const ms = lane.look();
    this.#perLook = Math.max(1, Math.min(MAX_UNSEEN, Math.floor((this.#unseen * LOOK_MS) / Math.max(ms, 0.001))));
    this.#unseen = 0;
    // What comes behind the end of the stream is only counted.
    if (lane.isHeld && !this.#hasEnded) this.#reader?.halt();
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

  /** Yields what Node has received and the receiver has not read. */
  *#unreadChunks(): Iterable<Uint8Array> {
    if (this.#rest !== undefined) yield this.#rest.subarray(this.#restFrom);
    this.#rest = undefined;
    for (let chunk: Uint8Array | null = this.#http2.read(); chunk !== null; chunk = this.#http2.read()) yield chunk;
  }
}
