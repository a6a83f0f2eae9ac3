import type { Writable } from "node:stream";
import type { FrameBytes } from "../../../protocol/internal.ts";
import { refuseOversize } from "../../calls/call-errors.ts";
import { MessagePacking, type PackedMessages, recycle } from "./message-packing.ts";

/** Bytes handed to the connection at once at most; more waits here, where it is counted. */
const WRITE_BYTES = 1024 * 1024;

export interface FrameWriterOptions {
  /** `send` answers false while more bytes than this wait. */
  readonly highWaterBytes: number;
  /** Longer messages are refused. */
  readonly maxMessageBytes: number;
  /** Called when `send` has said false and half of `highWaterBytes` is free again. */
  readonly onDrain: () => void;
}

/**
 * The sending half of a stream. What is queued in one turn of the event loop leaves in one write; while that write is
 * under way the next batch gathers, so a busy connection batches more by itself. Order is never changed.
 */
export class FrameWriter {
  readonly #stream: Writable;
  readonly #options: FrameWriterOptions;
  #waiting = new MessagePacking();
  #writingBytes = 0;
  #isFlushPlanned = false;
  #isEnding = false;
  #hasEnded = false;
  #isClosed = false;
  #owesDrain = false;
  #queuedCount = 0;
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

  /** After the end: messages that had not been handed to the network. */
  get unsentFrames(): number {
    return this.#isClosed ? this.#queuedCount - this.#writtenCount : 0;
  }

  /** Messages handed to the network, and those of them of which nothing has shown yet that they have arrived. */
  get writtenCount(): number {
    return this.#writtenCount;
  }

  get unconfirmedFrames(): number {
    return this.#writtenCount - this.#confirmedCount;
  }

  /** All that was queued has been written, and nothing more will be. */
  get isAllSent(): boolean {
    return this.#hasEnded && this.#writtenCount === this.#queuedCount;
  }

  /** The first so many messages have arrived; after the end it changes nothing. */
  confirm(count: number): void {
    if (!this.#isClosed) this.#confirmedCount = Math.max(this.#confirmedCount, count);
  }

  /** A write is under way that the connection, or the peer's flow control, has not taken yet. */
  get isWriting(): boolean {
    return this.#writingBytes > 0;
  }

  get maxSendBytes(): number {
    return this.#options.maxMessageBytes;
  }

  /** False above the high-water mark, and after the end. Throws `RpcError` (resource-exhausted) for an oversize message. */
  send(message: FrameBytes): boolean {
    if (this.#isClosed || this.#isEnding) return false;
    refuseOversize(message, this.#options.maxMessageBytes);
    this.#waiting.add(message, this.isWriting);
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

  /** Drops what is queued and takes nothing more. */
  close(): void {
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

  #planFlush(): void {
    if (this.#isFlushPlanned || this.#writingBytes > 0) return;
    this.#isFlushPlanned = true;
    process.nextTick(this.#flush);
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
    const last = batch.chunks.length - 1;
    stream.cork();
    batch.chunks.forEach(({ bytes }, index) => {
      if (index < last) stream.write(bytes);
      else stream.write(bytes, (error) => this.#onWritten(batch, error));
    });
    stream.uncork();
  }

  #onWritten(batch: PackedMessages, error: Error | null | undefined): void {
    // Of a stream that broke off nobody knows what the connection still holds.
    if (this.#isClosed || error) return;
    recycle(batch);
    this.#writingBytes = 0;
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
