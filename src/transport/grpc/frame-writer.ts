import type { Writable } from "node:stream";
import { refuseOversize } from "../oversize.ts";
import { COPY_UP_TO_BYTES, PREFIX_BYTES, packMessages } from "./message-packing.ts";

/** Bytes handed to the connection at once at most; more waits here, where it is counted. */
const WRITE_BYTES = 1024 * 1024;

/** So many messages wait as they came, each perhaps a small part of a large buffer that it keeps in memory; more are packed. */
const LOOSE_MESSAGES = 256;

/** Messages that are laid out for the connection already: they cost no more memory than they have bytes. */
interface Packed {
  readonly chunks: readonly Uint8Array[];
  readonly bytes: number;
  readonly count: number;
}

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
  /** Waiting behind a write, the oldest first: those packed, then those that came last. */
  #packed: Packed[] = [];
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

  /** After the end: messages that had not been handed to the network. */
  get unsentFrames(): number {
    return this.#isClosed ? this.#queuedCount - this.#writtenCount : 0;
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
    this.#waiting.push(message);
    this.#waitingBytes += message.byteLength + PREFIX_BYTES;
    this.#queuedCount += 1;
    if (this.#waiting.length >= LOOSE_MESSAGES && this.isWriting) this.#pack();
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
    this.#packed = [];
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
    if (batch.count > 0) this.#write(batch);
    if (!this.#isEnding || this.#hasEnded || this.#waitingBytes > 0) return;
    this.#hasEnded = true;
    this.#stream.end();
  };

  #pack(): void {
    const messages = this.#waiting;
    const bytes = messages.reduce((sum, message) => sum + message.byteLength + PREFIX_BYTES, 0);
    this.#packed.push({ chunks: packMessages(messages.map(withoutSurroundings)), bytes, count: messages.length });
    this.#waiting = [];
  }

  /** All that waits, or as much of it as one write takes. */
  #takeBatch(): Packed {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    let count = 0;
    for (let first = this.#packed[0]; first !== undefined && bytes <= WRITE_BYTES; first = this.#packed[0]) {
      this.#packed.shift();
      chunks.push(...first.chunks);
      bytes += first.bytes;
      count += first.count;
    }
    let taken = 0;
    for (const message of this.#packed.length === 0 ? this.#waiting : []) {
      if (bytes > WRITE_BYTES) break;
      bytes += message.byteLength + PREFIX_BYTES;
      taken += 1;
    }
    const isAll = taken === this.#waiting.length;
    if (taken > 0) chunks.push(...packMessages(isAll ? this.#waiting : this.#waiting.slice(0, taken)));
    this.#waiting = isAll ? [] : this.#waiting.slice(taken);
    this.#waitingBytes -= bytes;
    this.#writingBytes = bytes;
    return { chunks, bytes, count: count + taken };
  }

  #write({ chunks, count }: Packed): void {
    const stream = this.#stream;
    const last = chunks.length - 1;
    stream.cork();
    chunks.forEach((chunk, index) => {
      if (index < last) stream.write(chunk);
      else stream.write(chunk, () => this.#onWritten(count));
    });
    stream.uncork();
  }

  #onWritten(messageCount: number): void {
    if (this.#isClosed) return;
    this.#writingBytes = 0;
    this.#writtenCount += messageCount;
    if (this.#waitingBytes > 0 || this.#isEnding) this.#flush();
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

/** A long message travels by reference; alone it keeps no large buffer around it in memory. */
function withoutSurroundings(message: Uint8Array): Uint8Array {
  const isCopiedAnyway = message.byteLength <= COPY_UP_TO_BYTES;
  return isCopiedAnyway || message.buffer.byteLength <= 2 * message.byteLength ? message : new Uint8Array(message);
}
