import type { Writable } from "node:stream";
import type { FrameBytes } from "../../../protocol/internal.ts";
import type { MemoryAccount } from "../../accounting/memory-account.ts";
import { refuseOversize } from "../../calls/call-errors.ts";
import { nextTick } from "../../real-time.ts";
import { MessagePacking, type PackedMessages, recycle } from "./message-packing.ts";

/** The account is charged in such steps, so that a short message costs a comparison. */
const CHARGED_BYTES = 4 * 1024;

/** Maximum bytes of one write. More stays in the queue, where it is counted. */
const WRITE_BYTES = 1024 * 1024;

export interface FrameWriterOptions {
  /** High-water mark: `send` returns false while more bytes than this are queued. */
  readonly highWaterBytes: number;
  /** Limit of one message, in bytes. `send` refuses larger ones. */
  readonly maxMessageBytes: number;
  /** Account for what is queued. The sender asks it for space first (`mayTake`). Default: none. */
  readonly account?: MemoryAccount | undefined;
  /** Called after `send` returned false, when half of `highWaterBytes` is free again. */
  readonly onDrain: () => void;
}

/**
 * The sending half of a stream. Messages queued in one turn of the event loop leave in one write. The next batch
 * collects during that write, so a busy connection batches more. Order never changes.
 */
export class FrameWriter {
  readonly #stream: Writable;
  readonly #options: FrameWriterOptions;
  #waiting = new MessagePacking();
  #writingBytes = 0;
  #chargedBytes = 0;
  #isFlushPlanned = false;
  #isEnding = false;
  #hasEnded = false;
  #isClosed = false;
  #owesDrain = false;
  #hasPeerEnded = false;
  #queuedCount = 0;
  /** Messages handed to the network, with those of the write that is in progress. */
  #begunCount = 0;
  #writtenCount = 0;
  #confirmedCount = 0;
  #flushWaiters: { readonly untilCount: number; readonly resolve: () => void }[] = [];

  constructor(stream: Writable, options: FrameWriterOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  get queuedBytes(): number {
    return this.#waiting.bytes + this.#writingBytes;
  }

  /** Messages not yet handed to the network. */
  get queuedFrames(): number {
    return this.#isClosed ? 0 : this.#queuedCount - this.#writtenCount;
  }

  /** After the end: messages of which nothing was handed to the network. */
  get unsentFrames(): number {
    return this.#isClosed ? this.#queuedCount - this.#begunCount : 0;
  }

  /** Messages handed to the network. */
  get writtenCount(): number {
    return this.#writtenCount;
  }

  /** Messages without proof of arrival. After the end also those of a write that was not over: some may have arrived. */
  get unconfirmedFrames(): number {
    return (this.#isClosed ? this.#begunCount : this.#writtenCount) - this.#confirmedCount;
  }

  /** Everything queued has been written, and nothing more will be. */
  get isAllSent(): boolean {
    return this.#hasEnded && this.#writtenCount === this.#queuedCount;
  }

  /** Notes that the peer has ended the stream. It may not read what arrives from now on, although it answers pings. */
  peerEnded(): void {
    this.#hasPeerEnded = true;
  }

  /** Whether an answer of the peer, on another stream or to a ping, still shows that messages have arrived on this one. */
  get isConfirmable(): boolean {
    return !this.#hasPeerEnded && !this.#stream.closed;
  }

  /** Notes that the first `count` messages have arrived. Does nothing after the end. */
  confirm(count: number): void {
    if (!this.#isClosed) this.#confirmedCount = Math.max(this.#confirmedCount, count);
  }

  /** Notes the messages queued so far; call the returned function when the peer has shown on this stream that it has read them. */
  beforeAsking(): () => void {
    const count = this.#queuedCount;
    return () => this.confirm(Math.min(count, this.#writtenCount));
  }

  /** A write is in progress that the connection or the peer's flow control has not accepted yet. */
  get isWriting(): boolean {
    return this.#writingBytes > 0;
  }

  get maxSendBytes(): number {
    return this.#options.maxMessageBytes;
  }

  /**
   * Queues a message. Returns false above the high-water mark and after the end. Throws `RpcError` (resource-exhausted)
   * for a message above the limit.
   */
  send(message: FrameBytes): boolean {
    if (this.#isClosed || this.#isEnding) return false;
    refuseOversize(message, this.#options.maxMessageBytes);
    this.#waiting.add(message, this.isWriting);
    if (this.queuedBytes > this.#chargedBytes) this.#charge(this.queuedBytes);
    this.#queuedCount += 1;
    this.#planFlush();
    if (this.queuedBytes <= this.#options.highWaterBytes) return true;
    this.#owesDrain = true;
    return false;
  }

  /** Ends the writable side after everything queued. */
  end(): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#isEnding = true;
    this.#planFlush();
  }

  /** Discards the queue and accepts nothing more. */
  close(): void {
    this.#charge(0);
    this.#isClosed = true;
    this.#waiting = new MessagePacking();
    this.#writingBytes = 0;
    for (const waiter of this.#flushWaiters) waiter.resolve();
    this.#flushWaiters = [];
  }

  flushed(): Promise<void> {
    if (this.#isClosed || this.#writtenCount === this.#queuedCount) return Promise.resolve();
    const untilCount = this.#queuedCount;
    return new Promise((resolve) => this.#flushWaiters.push({ untilCount, resolve }));
  }

  /** Charges the account for so many queued bytes, rounded up. */
  #charge(queuedBytes: number): void {
    const { account } = this.#options;
    if (account === undefined) return;
    const bytes = Math.ceil(queuedBytes / CHARGED_BYTES) * CHARGED_BYTES;
    if (bytes > this.#chargedBytes) account.add(bytes - this.#chargedBytes);
    else account.release(this.#chargedBytes - bytes);
    this.#chargedBytes = bytes;
  }

  #planFlush(): void {
    if (this.#isFlushPlanned || this.#writingBytes > 0) return;
    this.#isFlushPlanned = true;
    nextTick(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isFlushPlanned = false;
    if (this.#isClosed) return;
    if (this.#waiting.bytes > 0) this.#write(this.#waiting.take(WRITE_BYTES));
    if (!this.#isEnding || this.#hasEnded || this.#waiting.bytes > 0) return;
    this.#hasEnded = true;
    this.#stream.end();
  };

  #write(batch: PackedMessages): void {
    const stream = this.#stream;
    this.#writingBytes = batch.bytes;
    this.#begunCount += batch.count;
    const last = batch.chunks.length - 1;
    stream.cork();
    batch.chunks.forEach(({ bytes }, index) => {
      if (index < last) stream.write(bytes);
      else stream.write(bytes, (error) => this.#onWritten(batch, error));
    });
    stream.uncork();
  }

  #onWritten(batch: PackedMessages, error: Error | null | undefined): void {
    // After a stream broke, the connection may still hold its buffers: they must not be reused.
    if (this.#isClosed || error) return;
    recycle(batch);
    this.#writingBytes = 0;
    if (this.#waiting.bytes + CHARGED_BYTES < this.#chargedBytes) this.#charge(this.#waiting.bytes);
    this.#writtenCount += batch.count;
    if (this.#waiting.bytes > 0 || this.#isEnding) this.#flush();
    this.#settleFlushWaiters();
    if (this.#owesDrain && this.queuedBytes <= this.#options.highWaterBytes / 2) {
      this.#owesDrain = false;
      this.#options.onDrain();
    }
  }

  #settleFlushWaiters(): void {
    let done = 0;
    for (const waiter of this.#flushWaiters) {
      if (waiter.untilCount > this.#writtenCount) break;
      waiter.resolve();
      done += 1;
    }
    if (done > 0) this.#flushWaiters = this.#flushWaiters.slice(done);
  }
}
