import type { FrameBytes } from "../../../protocol/internal.ts";
import { NO_BUFFER, type PooledBuffer, releaseBuffer, takeBuffer } from "./buffer-pool.ts";

/** Length of the prefix of every message: one byte for the compression flag, four for the length (big endian). */
export const PREFIX_BYTES = 5;

/**
 * Messages up to this size are copied into shared buffers. Longer ones are passed by reference; only their prefix is
 * copied.
 */
export const COPY_UP_TO_BYTES = 16 * 1024;

/** Limit of one shared buffer, so that a long queue never needs one huge allocation. */
const LARGEST_BUFFER_BYTES = 64 * 1024;
const SMALLEST_BUFFER_BYTES = 512;

/** Messages laid out for the connection, in order. */
export interface PackedMessages {
  readonly chunks: readonly Chunk[];
  readonly bytes: number;
  readonly count: number;
}

interface Chunk {
  readonly bytes: Uint8Array;
  /** Number of messages that end in this chunk. */
  readonly count: number;
  /** Buffer that the messages were copied to; undefined for the bytes of a long message. */
  readonly buffer: PooledBuffer | undefined;
}

/**
 * Lays messages out as length-prefixed frames in few buffers. It copies short messages immediately: one copy and no
 * allocation each, and their source buffers are free. Long messages are passed by reference, so the caller must not
 * change them until they are written.
 */
export class MessagePacking {
  #chunks: Chunk[] = [];
  #bytes = 0;
  /** Target of copies. The bytes between `#start` and `#end` do not belong to a chunk yet. */
  #buffer: PooledBuffer = NO_BUFFER;
  #start = 0;
  #end = 0;
  #bufferedCount = 0;
  /**
   * Size of the next buffer: the last batch's size, since batches resemble each other; twice the last buffer if that
   * was too small.
   */
  #nextBufferBytes = SMALLEST_BUFFER_BYTES;

  /** Bytes of all packed messages, with their prefixes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds a message. `isQueue`: the message waits behind others, so it must not keep a large surrounding buffer alive.
   */
  add(message: FrameBytes, isQueue = false): void {
    const length = message.byteLength;
    const isLong = length > COPY_UP_TO_BYTES;
    const [head, rest] = message instanceof Uint8Array ? [undefined, message] : [message.head, message.rest];
    this.#makeRoom(PREFIX_BYTES + (isLong ? (head?.length ?? 0) : length));
    const target = this.#buffer.bytes;
    let at = this.#end;
    target[at] = 0;
    target[at + 1] = length >>> 24;
    target[at + 2] = (length >>> 16) & 0xff;
    target[at + 3] = (length >>> 8) & 0xff;
    target[at + 4] = length & 0xff;
    at += PREFIX_BYTES;
    if (head !== undefined) {
      target.set(head, at);
      at += head.length;
    }
    if (rest.length === 0) {
      // An empty chunk would not be taken with its message.
      this.#end = at;
      this.#bufferedCount += 1;
    } else if (isLong) {
      this.#end = at;
      this.#cut();
      this.#chunks.push({ bytes: isQueue ? withoutSurroundings(rest) : rest, count: 1, buffer: undefined });
    } else {
      target.set(rest, at);
      this.#end = at + rest.length;
      this.#bufferedCount += 1;
    }
    // Last, after what can throw: the queue must not count what it does not have.
    this.#bytes += PREFIX_BYTES + length;
  }

  /** Removes and returns the first messages: all chunks that begin within `mostBytes`. */
  take(mostBytes = Number.POSITIVE_INFINITY): PackedMessages {
    this.#cut();
    this.#nextBufferBytes = Math.max(SMALLEST_BUFFER_BYTES, Math.min(this.#bytes, LARGEST_BUFFER_BYTES));
    let taken = 0;
    let bytes = 0;
    let count = 0;
    for (const chunk of this.#chunks) {
      if (bytes >= mostBytes) break;
      taken += 1;
      bytes += chunk.bytes.byteLength;
      count += chunk.count;
    }
    const chunks = taken === this.#chunks.length ? this.#chunks : this.#chunks.slice(0, taken);
    this.#chunks = this.#chunks === chunks ? [] : this.#chunks.slice(taken);
    this.#bytes -= bytes;
    if (this.#bytes === 0) this.#begin(NO_BUFFER);
    return { chunks, bytes, count };
  }

  #makeRoom(bytes: number): void {
    if (this.#buffer.bytes.length - this.#end >= bytes) return;
    this.#cut();
    // A large buffer may as well be a pooled one.
    const bufferBytes = Math.max(bytes, this.#nextBufferBytes);
    // The head of a frame may be longer than any of these.
    const size = bufferBytes > COPY_UP_TO_BYTES ? Math.max(bytes, LARGEST_BUFFER_BYTES) : bufferBytes;
    this.#begin(takeBuffer(size));
    this.#nextBufferBytes = Math.min(2 * this.#buffer.bytes.length, LARGEST_BUFFER_BYTES);
  }

  #begin(buffer: PooledBuffer): void {
    releaseBuffer(this.#buffer);
    this.#buffer = buffer;
    this.#start = 0;
    this.#end = 0;
  }

  /** Makes a chunk of what was copied last. The next copies continue in the same buffer. */
  #cut(): void {
    if (this.#end === this.#start) return;
    const buffer = this.#buffer;
    buffer.uses += 1;
    this.#chunks.push({ bytes: buffer.bytes.subarray(this.#start, this.#end), count: this.#bufferedCount, buffer });
    this.#start = this.#end;
    this.#bufferedCount = 0;
  }
}

/** Returns the buffers of written messages to the pool. */
export function recycle({ chunks }: PackedMessages): void {
  for (const { buffer } of chunks) if (buffer !== undefined) releaseBuffer(buffer);
}

/** Lays out a few messages at once. */
export function packMessages(messages: readonly Uint8Array[]): readonly Uint8Array[] {
  const packing = new MessagePacking();
  for (const message of messages) packing.add(message);
  return packing.take().chunks.map(({ bytes }) => bytes);
}

/** Copies a long message that keeps a much larger buffer alive. */
function withoutSurroundings(message: Uint8Array): Uint8Array {
  return message.buffer.byteLength <= 2 * message.byteLength ? message : new Uint8Array(message);
}
