import type { ByteBudget } from "./byte-budget.ts";
import { PREFIX_BYTES } from "./message-packing.ts";

/** What the parser finds, in the order of arrival. */
export interface FrameSink {
  /** One whole message. A view into the chunk it came in, if it lay in one; else a fresh copy. */
  onMessage(message: Uint8Array, isCompressed: boolean): void;
  /** A message was announced that is longer than allowed, or whose flag byte is unknown; its bytes are skipped, unbuffered. */
  onSkipped(skipped: SkippedMessage): void;
}

/** Why a message was skipped: `too-large`, a flag byte other than 0 and 1, or `no-room` beside other unfinished messages. */
export interface SkippedMessage {
  readonly why: "too-large" | "bad-flag" | "no-room";
  readonly announcedBytes: number;
  readonly flag: number;
  /** The first bytes of a message that is not compressed and finds no room, as far as they have arrived; else empty. */
  readonly head: Uint8Array;
}

const EMPTY = new Uint8Array(0);
const HEAD_BYTES = 512;
/** What keeping an unfinished message costs beside its bytes. */
const MESSAGE_COST_BYTES = 128;
const GROWTHS = [4, 1.25];

/**
 * Cuts a byte stream into length-prefixed messages, however it is split into chunks. Holds at most one unfinished
 * message, and of that no more than four times what has arrived.
 */
export class FrameParser {
  readonly #sink: FrameSink;
  readonly #maxMessageBytes: number;
  readonly #budget: ByteBudget | undefined;
  readonly #prefix = new Uint8Array(PREFIX_BYTES);
  #prefixFilled = 0;
  /** What has arrived of the message under way, in a buffer that grows with it, and how many of its bytes are missing; 0 when none is under way. */
  #buffer: Uint8Array = EMPTY;
  #missingBytes = 0;
  #messageBytes = 0;
  #heldBytes = 0;
  #isCompressed = false;
  #bytesToSkip = 0;
  #isClosed = false;

  /** `held`: the account that the bytes of the unfinished message are on. Default: none. */
  constructor(sink: FrameSink, maxMessageBytes: number, budget?: ByteBudget) {
    this.#sink = sink;
    this.#maxMessageBytes = maxMessageBytes;
    this.#budget = budget;
  }

  /** True between the first byte of a message and its last. */
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

  /** Starts the message whose prefix stands at `prefixOffset`; its body begins at `offset` of `chunk`. */
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
   * Quadrupled, a message of 1 MB moves three times; parts of their own for each read of it had kept the collector busy. Where
   * there is no room for that it grows by less, but never by so little that it would move at every read.
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

  /** Takes so much on the account in all. False: it has no room for that. */
  #hold(bytes: number): boolean {
    const more = bytes + MESSAGE_COST_BYTES - this.#heldBytes;
    if (this.#budget?.take(more) === false) return false;
    this.#heldBytes += more;
    return true;
  }

  /** Lets go of the unfinished message and reads nothing more, not even the rest of a chunk that is being read. */
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
