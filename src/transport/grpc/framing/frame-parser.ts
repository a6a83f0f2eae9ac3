import type { MemoryAccount } from "../../accounting/memory-account.ts";
import { HEAD_BYTES } from "../../limits.ts";
import { PREFIX_BYTES } from "./message-packing.ts";

/** Receives the results of the parser, in the order of arrival. */
export interface FrameSink {
  /** One whole message: a view into its chunk if it lies in one chunk, otherwise a new buffer. */
  onMessage(message: Uint8Array, isCompressed: boolean): void;
  /** A message was skipped without being buffered. */
  onSkipped(skipped: SkippedMessage): void;
}

/**
 * A skipped message: larger than allowed, with an unknown flag byte, or without space in its account (`no-room`). `too-slow`: its
 * bytes came too slowly.
 */
export interface SkippedMessage {
  readonly why: "too-large" | "bad-flag" | "no-room" | "too-slow";
  readonly announcedBytes: number;
  readonly flag: number;
  /** First bytes of the message, as far as they have arrived and are asked for. */
  readonly head: Uint8Array;
}

export interface FrameParserOptions {
  readonly maxMessageBytes: number;
  /** Account for the bytes of the unfinished message. Default: none. */
  readonly account?: MemoryAccount | undefined;
  /** First bytes of a skipped message that are reported: the report waits for them. Default: `HEAD_BYTES`. */
  readonly headBytes?: number | undefined;
}

const EMPTY = new Uint8Array(0);
/** Memory that an unfinished message costs beside its bytes. */
const MESSAGE_COST_BYTES = 128;
const GROWTHS = [4, 1.25];

type Why = SkippedMessage["why"];

/**
 * Splits a byte stream into length-prefixed messages, whatever its chunks are. Keeps at most one unfinished message, in
 * at most four times the memory of its bytes that have arrived.
 */
export class FrameParser {
  readonly #sink: FrameSink;
  readonly #maxMessageBytes: number;
  readonly #account: MemoryAccount | undefined;
  readonly #headBytes: number;
  readonly #prefix = new Uint8Array(PREFIX_BYTES);
  #prefixFilled = 0;
  /**
   * Buffer of the unfinished message, which grows with it, and the number of its bytes still missing. 0: no message is
   * unfinished. For a skipped message the buffer takes its head.
   */
  #buffer: Uint8Array = EMPTY;
  #missingBytes = 0;
  #messageBytes = 0;
  #heldBytes = 0;
  #flag = 0;
  /** The reason for which the unfinished message is skipped, and whether that was reported. */
  #skippedFor: Why | undefined;
  #isReported = false;
  #begunCount = 0;
  #isCounting = false;
  #isHalted = false;
  #isClosed = false;

  constructor(sink: FrameSink, { maxMessageBytes, account, headBytes = HEAD_BYTES }: FrameParserOptions) {
    this.#sink = sink;
    this.#maxMessageBytes = maxMessageBytes;
    this.#account = account;
    this.#headBytes = headBytes;
  }

  /** True between the first and the last byte of a message. */
  get isMidMessage(): boolean {
    return this.#prefixFilled > 0 || this.#missingBytes > 0;
  }

  /** The number of the message that the parser keeps unfinished, or whose report waits for more bytes. 0: no message is unfinished. */
  get unfinished(): number {
    return this.#missingBytes > 0 && !this.#isReported ? this.#begunCount : 0;
  }

  /** Bytes of the unfinished message that have arrived. */
  get arrivedBytes(): number {
    return this.#messageBytes - this.#missingBytes;
  }

  /** Reads `chunk` from `from` on. Returns where it has stopped: behind the chunk, unless the sink has called `halt`. */
  push(chunk: Uint8Array, from = 0): number {
    let offset = from;
    this.#isHalted = false;
    while (offset < chunk.byteLength && !this.#isClosed && !this.#isHalted) {
      if (this.#missingBytes > 0)
        offset = this.#skippedFor === undefined ? this.#fill(chunk, offset) : this.#skip(chunk, offset);
      else if (this.#prefixFilled > 0 || chunk.byteLength - offset < PREFIX_BYTES)
        offset = this.#fillPrefix(chunk, offset);
      else offset = this.#begin(chunk, offset + PREFIX_BYTES, chunk, offset);
    }
    return this.#isClosed ? chunk.byteLength : offset;
  }

  /** Reads no further in the present chunk, for now. */
  halt(): void {
    this.#isHalted = true;
  }

  /** Skips the rest of the unfinished message, and reports it now. */
  giveUp(why: Why): void {
    if (this.unfinished === 0) return;
    this.#skippedFor ??= why;
    this.#report();
  }

  /** Nothing more comes: reports a skipped message whose head is incomplete. */
  end(): void {
    if (this.#skippedFor !== undefined && !this.#isReported) this.#report();
  }

  /** From now on counts whole messages only: they go to the sink without their bytes. */
  countOnly(): void {
    this.#isCounting = true;
    this.#discard();
  }

  /** Discards the unfinished message and reads nothing more, not even the rest of the current chunk. */
  close(): void {
    this.#isClosed = true;
    this.#discard();
  }

  /** Starts the message whose prefix is at `prefixOffset`; its body begins at `offset` of `chunk`. */
  #begin(chunk: Uint8Array, offset: number, prefix: Uint8Array, prefixOffset: number): number {
    const flag = prefix[prefixOffset] ?? 0;
    const length = readLength(prefix, prefixOffset + 1);
    if (flag > 1 || length > this.#maxMessageBytes) {
      this.#open(flag, length);
      this.#skippedFor = flag > 1 ? "bad-flag" : "too-large";
      if (length === 0 || this.#headBytes === 0) this.#report();
      return offset;
    }
    const end = offset + length;
    if (end <= chunk.byteLength) {
      this.#sink.onMessage(length === 0 ? EMPTY : chunk.subarray(offset, end), flag === 1);
      return end;
    }
    this.#open(flag, length);
    return offset;
  }

  #open(flag: number, length: number): void {
    this.#flag = flag;
    this.#missingBytes = length;
    this.#messageBytes = length;
    this.#skippedFor = undefined;
    this.#isReported = false;
    this.#begunCount += 1;
  }

  #fillPrefix(chunk: Uint8Array, offset: number): number {
    const taken = Math.min(PREFIX_BYTES - this.#prefixFilled, chunk.byteLength - offset);
    this.#prefix.set(chunk.subarray(offset, offset + taken), this.#prefixFilled);
    this.#prefixFilled += taken;
    if (this.#prefixFilled < PREFIX_BYTES) return offset + taken;
    this.#prefixFilled = 0;
    return this.#begin(chunk, offset + taken, this.#prefix, 0);
  }

  #fill(chunk: Uint8Array, offset: number): number {
    const taken = Math.min(this.#missingBytes, chunk.byteLength - offset);
    if (!this.#isCounting) {
      if (!this.#makeRoom(this.arrivedBytes + taken)) return this.#refuse(offset);
      this.#buffer.set(chunk.subarray(offset, offset + taken), this.arrivedBytes);
    }
    this.#missingBytes -= taken;
    if (this.#missingBytes === 0) {
      const message = this.#buffer;
      this.#discard();
      this.#sink.onMessage(message, this.#flag === 1);
    }
    return offset + taken;
  }

  /**
   * Quadruples the buffer, so that a message of 1 MB moves three times; a buffer for each read kept the collector busy.
   * If the account refuses that, the buffer grows by a quarter.
   */
  #makeRoom(bytes: number): boolean {
    const present = this.#buffer.byteLength;
    if (bytes <= present) return true;
    const size = GROWTHS.map((growth) =>
      Math.min(this.#messageBytes, Math.max(bytes, Math.ceil(growth * present))),
    ).find((candidate) => this.#hold(candidate));
    if (size === undefined) return false;
    const larger = Buffer.allocUnsafeSlow(size);
    larger.set(this.#buffer.subarray(0, this.arrivedBytes));
    this.#buffer = larger;
    return true;
  }

  /**
   * Takes the memory for a buffer of `bytes` bytes from the account. Returns false if that refuses. If there is no memory after
   * all, the end of the stream releases the bytes.
   */
  #hold(bytes: number): boolean {
    const more = bytes + MESSAGE_COST_BYTES - this.#heldBytes;
    if (this.#account?.take(more) === false) return false;
    this.#heldBytes += more;
    return true;
  }

  #discard(): void {
    this.#buffer = EMPTY;
    this.#account?.release(this.#heldBytes);
    this.#heldBytes = 0;
  }

  /** The account has no space: keeps only the head of the message. */
  #refuse(offset: number): number {
    const head = this.#buffer.slice(0, Math.min(this.arrivedBytes, this.#headBytes));
    this.#discard();
    this.#buffer = head;
    this.#skippedFor = "no-room";
    if (head.byteLength >= this.#wantedHead) this.#report();
    return offset;
  }

  get #wantedHead(): number {
    return Math.min(this.#headBytes, this.#messageBytes);
  }

  #skip(chunk: Uint8Array, offset: number): number {
    const taken = Math.min(this.#missingBytes, chunk.byteLength - offset);
    if (!this.#isReported) {
      const missing = this.#wantedHead - this.#buffer.byteLength;
      this.#buffer = Buffer.concat([this.#buffer, chunk.subarray(offset, offset + Math.min(taken, missing))]);
    }
    this.#missingBytes -= taken;
    if (!this.#isReported && this.#buffer.byteLength >= this.#wantedHead) this.#report();
    return offset + taken;
  }

  #report(): void {
    const head = this.#buffer.subarray(0, Math.min(this.arrivedBytes, this.#wantedHead));
    this.#isReported = true;
    this.#discard();
    this.#sink.onSkipped({
      why: this.#skippedFor ?? "too-large",
      announcedBytes: this.#messageBytes,
      flag: this.#flag,
      head,
    });
  }
}

function readLength(bytes: Uint8Array, offset: number): number {
  const low = ((bytes[offset + 1] ?? 0) << 16) | ((bytes[offset + 2] ?? 0) << 8) | (bytes[offset + 3] ?? 0);
  return (bytes[offset] ?? 0) * 0x100_0000 + low;
}
