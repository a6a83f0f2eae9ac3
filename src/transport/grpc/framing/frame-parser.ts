import type { ByteBudget } from "../connection/byte-budget.ts";
import { PREFIX_BYTES } from "./message-packing.ts";

/** Receives the results of the parser, in the order of arrival. */
export interface FrameSink {
  /** One whole message: a view into its chunk if it lies in one chunk, otherwise a new buffer. */
  onMessage(message: Uint8Array, isCompressed: boolean): void;
  /** A message was skipped without being buffered. */
  onSkipped(skipped: SkippedMessage): void;
}

/**
 * A skipped message: larger than allowed, with an unknown flag byte, or without space in the byte budget (`no-room`).
 */
export interface SkippedMessage {
  readonly why: "too-large" | "bad-flag" | "no-room";
  readonly announcedBytes: number;
  readonly flag: number;
  /** First bytes of an uncompressed message, as far as they have arrived; otherwise empty. */
  readonly head: Uint8Array;
}

const EMPTY = new Uint8Array(0);
const HEAD_BYTES = 512;
/** Memory that an unfinished message costs beside its bytes. */
const MESSAGE_COST_BYTES = 128;
const GROWTHS = [4, 1.25];

/**
 * Splits a byte stream into length-prefixed messages, whatever its chunks are. Keeps at most one unfinished message, in
 * at most four times the memory of its bytes that have arrived.
 */
export class FrameParser {
  readonly #sink: FrameSink;
  readonly #maxMessageBytes: number;
  readonly #budget: ByteBudget | undefined;
  readonly #prefix = new Uint8Array(PREFIX_BYTES);
  #prefixFilled = 0;
  /**
   * Buffer of the unfinished message, which grows with it, and the number of its bytes still missing. 0: no message is
   * unfinished.
   */
  #buffer: Uint8Array = EMPTY;
  #missingBytes = 0;
  #messageBytes = 0;
  #heldBytes = 0;
  #isCompressed = false;
  #bytesToSkip = 0;
  #isClosed = false;

  /** `budget` holds the bytes of the unfinished message. Default: none. */
  constructor(sink: FrameSink, maxMessageBytes: number, budget?: ByteBudget) {
    this.#sink = sink;
    this.#maxMessageBytes = maxMessageBytes;
    this.#budget = budget;
  }

  /** True between the first and the last byte of a message. */
  get isMidMessage(): boolean {
    return this.#prefixFilled > 0 || this.#missingBytes > 0 || this.#bytesToSkip > 0;
  }

  push(chunk: Uint8Array): void {
    let offset = 0;
    while (offset < chunk.byteLength && !this.#isClosed) {
      if (this.#bytesToSkip > 0) offset = this.#skip(chunk, offset);
      else if (this.#missingBytes > 0) offset = this.#fillMessage(chunk, offset);
      else if (this.#prefixFilled > 0 || chunk.byteLength - offset < PREFIX_BYTES)
        offset = this.#fillPrefix(chunk, offset);
      else offset = this.#begin(chunk, offset + PREFIX_BYTES, chunk, offset);
    }
  }

  /** Starts the message whose prefix is at `prefixOffset`; its body begins at `offset` of `chunk`. */
  #begin(chunk: Uint8Array, offset: number, prefix: Uint8Array, prefixOffset: number): number {
    const flag = prefix[prefixOffset] ?? 0;
    const length = readLength(prefix, prefixOffset + 1);
    if (flag > 1 || length > this.#maxMessageBytes) {
      this.#bytesToSkip = length;
      const head = flag === 0 ? chunk.subarray(offset, offset + Math.min(length, HEAD_BYTES)) : EMPTY;
      this.#sink.onSkipped({ why: flag > 1 ? "bad-flag" : "too-large", announcedBytes: length, flag, head });
      return offset;
    }
    const end = offset + length;
    if (end <= chunk.byteLength) {
      this.#sink.onMessage(length === 0 ? EMPTY : chunk.subarray(offset, end), flag === 1);
      return end;
    }
    this.#isCompressed = flag === 1;
    this.#missingBytes = length;
    this.#messageBytes = length;
    return offset;
  }

  #fillPrefix(chunk: Uint8Array, offset: number): number {
    const taken = Math.min(PREFIX_BYTES - this.#prefixFilled, chunk.byteLength - offset);
    this.#prefix.set(chunk.subarray(offset, offset + taken), this.#prefixFilled);
    this.#prefixFilled += taken;
    if (this.#prefixFilled < PREFIX_BYTES) return offset + taken;
    this.#prefixFilled = 0;
    return this.#begin(chunk, offset + taken, this.#prefix, 0);
  }

  #fillMessage(chunk: Uint8Array, offset: number): number {
    const taken = Math.min(this.#missingBytes, chunk.byteLength - offset);
    if (!this.#makeRoom(this.#arrivedBytes + taken)) return this.#giveUp(offset);
    this.#buffer.set(chunk.subarray(offset, offset + taken), this.#arrivedBytes);
    this.#missingBytes -= taken;
    if (this.#missingBytes === 0) {
      const message = this.#buffer;
      this.#discard();
      this.#sink.onMessage(message, this.#isCompressed);
    }
    return offset + taken;
  }

  get #arrivedBytes(): number {
    return this.#messageBytes - this.#missingBytes;
  }

  /**
   * Quadruples the buffer, so that a message of 1 MB moves three times; a buffer for each read kept the collector busy.
   * If the budget refuses that, the buffer grows by a quarter.
   */
  #makeRoom(bytes: number): boolean {
    const present = this.#buffer.byteLength;
    if (bytes <= present) return true;
    const size = GROWTHS.map((growth) =>
      Math.min(this.#messageBytes, Math.max(bytes, Math.ceil(growth * present))),
    ).find((candidate) => this.#hold(candidate));
    if (size === undefined) return false;
    const larger = Buffer.allocUnsafeSlow(size);
    larger.set(this.#buffer.subarray(0, this.#arrivedBytes));
    this.#buffer = larger;
    return true;
  }

  /** Takes the memory for a buffer of `bytes` bytes from the budget. Returns false if the budget refuses. */
  #hold(bytes: number): boolean {
    const more = bytes + MESSAGE_COST_BYTES - this.#heldBytes;
    if (this.#budget?.take(more) === false) return false;
    this.#heldBytes += more;
    return true;
  }

  /** Discards the unfinished message and reads nothing more, not even the rest of the current chunk. */
  close(): void {
    this.#isClosed = true;
    this.#discard();
  }

  #discard(): void {
    this.#buffer = EMPTY;
    this.#budget?.release(this.#heldBytes);
    this.#heldBytes = 0;
  }

  #giveUp(offset: number): number {
    const head = this.#isCompressed ? EMPTY : this.#buffer.subarray(0, Math.min(this.#arrivedBytes, HEAD_BYTES));
    this.#discard();
    this.#bytesToSkip = this.#missingBytes;
    this.#missingBytes = 0;
    this.#sink.onSkipped({
      why: "no-room",
      announcedBytes: this.#messageBytes,
      flag: Number(this.#isCompressed),
      head,
    });
    return offset;
  }

  #skip(chunk: Uint8Array, offset: number): number {
    const taken = Math.min(this.#bytesToSkip, chunk.byteLength - offset);
    this.#bytesToSkip -= taken;
    return offset + taken;
  }
}

function readLength(bytes: Uint8Array, offset: number): number {
  const low = ((bytes[offset + 1] ?? 0) << 16) | ((bytes[offset + 2] ?? 0) << 8) | (bytes[offset + 3] ?? 0);
  return (bytes[offset] ?? 0) * 0x100_0000 + low;
}
