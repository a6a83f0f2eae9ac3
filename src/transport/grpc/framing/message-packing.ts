import type { FrameBytes } from "../../../protocol/internal.ts";
import { NO_BUFFER, type PooledBuffer, releaseBuffer, takeBuffer } from "./buffer-pool.ts";

/** Bytes before every message: one for the compression flag, four for the length (big endian). */
export const PREFIX_BYTES = 5;

/** Messages up to this size are copied together; longer ones travel by reference, with only their prefix copied. */
export const COPY_UP_TO_BYTES = 16 * 1024;

/** Copied runs are cut at this size, so that a long queue never asks for one huge allocation. */
const LARGEST_BUFFER_BYTES = 64 * 1024;
const SMALLEST_BUFFER_BYTES = 512;

/** Messages laid out for the connection, in their order. */
export interface PackedMessages {
  readonly chunks: readonly Chunk[];
  readonly bytes: number;
  readonly count: number;
}

interface Chunk {
  readonly bytes: Uint8Array;
  /** Messages that end with it. */
  readonly count: number;
  /** Where they were copied to; undefined for a long message's own bytes. */
  readonly buffer: PooledBuffer | undefined;
}

/**
 * Lays messages out as length-prefixed frames in as few buffers as is sensible. Short ones are copied as they come: that
 * costs one copy and no allocation for each, and nothing they came in stays in memory. Buffers of long messages are the
 * callers' own memory and must not change until they are written.
 */
export class MessagePacking {
  #chunks: Chunk[] = [];
  #bytes = 0;
  /** Where short messages are being copied to; what stands between `#start` and `#end` is of no chunk yet. */
  #buffer: PooledBuffer = NO_BUFFER;
  #start = 0;
  #end = 0;
  #bufferedCount = 0;
  /** As large as the last batch was, for the next one will be much like it; twice the last run where that was not enough. */
  #nextBufferBytes = SMALLEST_BUFFER_BYTES;

  /** Of all that is packed, with prefixes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** `isQueue`: it will wait for others before it, and must keep no large buffer around it in memory. */
  add(message: FrameBytes, isQueue = false): void {
    const length = message.byteLength;
    const isLong = length > COPY_UP_TO_BYTES;
    const [head, rest] = message instanceof Uint8Array ? [undefined, message] : [message.head, message.rest];
    this.#bytes += PREFIX_BYTES + length;
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
    if (isLong) {
      this.#end = at;
      this.#cut();
      this.#chunks.push({ bytes: isQueue ? withoutSurroundings(rest) : rest, count: 1, buffer: undefined });
    } else {
      target.set(rest, at);
      this.#end = at + rest.length;
      this.#bufferedCount += 1;
    }
  }

  /** Takes out the first messages: as many chunks as begin within `mostBytes`. */
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
    // A long run may just as well be one of those that are used again.
    const bufferBytes = Math.max(bytes, this.#nextBufferBytes);
    this.#begin(takeBuffer(bufferBytes > COPY_UP_TO_BYTES ? LARGEST_BUFFER_BYTES : bufferBytes));
    this.#nextBufferBytes = Math.min(2 * this.#buffer.bytes.length, LARGEST_BUFFER_BYTES);
  }

  #begin(buffer: PooledBuffer): void {
    releaseBuffer(this.#buffer);
    this.#buffer = buffer;
    this.#start = 0;
    this.#end = 0;
  }

  /** What was copied last becomes a chunk; what is copied next stands behind it in the same run. */
  #cut(): void {
    if (this.#end === this.#start) return;
    const buffer = this.#buffer;
    buffer.uses += 1;
    this.#chunks.push({ bytes: buffer.bytes.subarray(this.#start, this.#end), count: this.#bufferedCount, buffer });
    this.#start = this.#end;
    this.#bufferedCount = 0;
  }
}

/** What was laid out has been written: the memory it was copied to is used again. */
export function recycle({ chunks }: PackedMessages): void {
  for (const { buffer } of chunks) if (buffer !== undefined) releaseBuffer(buffer);
}

/** A few messages laid out at once. */
export function packMessages(messages: readonly Uint8Array[]): readonly Uint8Array[] {
  const packing = new MessagePacking();
  for (const message of messages) packing.add(message);
  return packing.take().chunks.map(({ bytes }) => bytes);
}

/** A long message alone keeps no large buffer around it in memory. */
function withoutSurroundings(message: Uint8Array): Uint8Array {
  return message.buffer.byteLength <= 2 * message.byteLength ? message : new Uint8Array(message);
}
