import type { Writable } from "node:stream";
import { refuseOversize } from "../oversize.ts";
import { PREFIX_BYTES, packMessages } from "./message-packing.ts";

/** Bytes handed to the connection at once at most; more waits here, where it is counted. */
const WRITE_BYTES = 1024 * 1024;

/** So many messages wait as they came, though each may be a small part of a large buffer that it keeps in memory. */
const VIEWS = 256;

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
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #writingBytes = 0;
  #isFlushPlanned = false;
  #isEnding = false;
  #hasEnded = false;
  #isClosed = false;
  #owesDrain = false;
  #queuedCount = 0;
  #writtenCount = 0;
  #flushWaiters: { readonly untilCount: number; readonly resolve: () => void }[] = [];

  constructor(stream: Writable, options: FrameWriterOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  get queuedBytes(): number {
    return this.#waitingBytes + this.#writingBytes;
  }

  /** Messages not yet handed to the network. */
  get queuedFrames(): number {
    return this.#isClosed ? 0 : this.#queuedCount - this.#writtenCount;
  }

  /** A write is under way that the connection, or the peer's flow control, has not taken yet. */
  get isWriting(): boolean {
    return this.#writingBytes > 0;
  }

  get maxSendBytes(): number {
    return this.#options.maxMessageBytes;
  }

  /** False above the high-water mark, and after the end. Throws `RpcError` (resource-exhausted) for an oversize message. */
  send(message: Uint8Array): boolean {
    if (this.#isClosed || this.#isEnding) return false;
    refuseOversize(message, this.#options.maxMessageBytes);
    this.#waiting.push(this.#waiting.length < VIEWS ? message : ownBytes(message));
    this.#waitingBytes += message.byteLength + PREFIX_BYTES;
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
    this.#waiting = [];
    this.#waitingBytes = 0;
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
    const batch = this.#takeBatch();
    if (batch.length > 0) this.#write(packMessages(batch), batch.length);
    if (!this.#isEnding || this.#hasEnded || this.#waiting.length > 0) return;
    this.#hasEnded = true;
    this.#stream.end();
  };

  /** All that waits, or as much of it as one write takes. */
  #takeBatch(): readonly Uint8Array[] {
    let bytes = 0;
    let count = 0;
    for (const message of this.#waiting) {
      if (bytes > WRITE_BYTES) break;
      bytes += message.byteLength + PREFIX_BYTES;
      count += 1;
    }
    const isAll = count === this.#waiting.length;
    const batch = isAll ? this.#waiting : this.#waiting.slice(0, count);
    this.#waiting = isAll ? [] : this.#waiting.slice(count);
    this.#waitingBytes -= bytes;
    this.#writingBytes = bytes;
    return batch;
  }

  #write(chunks: readonly Uint8Array[], messageCount: number): void {
    const stream = this.#stream;
    const last = chunks.length - 1;
    stream.cork();
    chunks.forEach((chunk, index) => {
      if (index < last) stream.write(chunk);
      else stream.write(chunk, () => this.#onWritten(messageCount));
    });
    stream.uncork();
  }

  #onWritten(messageCount: number): void {
    if (this.#isClosed) return;
    this.#writingBytes = 0;
    this.#writtenCount += messageCount;
    if (this.#waiting.length > 0 || this.#isEnding) this.#flush();
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

/** The message alone, without the buffer around it: what a long queue holds is what it counts. */
function ownBytes(message: Uint8Array): Uint8Array {
  return message.buffer.byteLength > 2 * message.byteLength ? new Uint8Array(message) : message;
}
