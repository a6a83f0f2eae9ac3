import { Buffer } from "node:buffer";
import { TroupeError } from "../../core/internal.ts";

const slabBytes = 64 * 1024;
/** Messages that may be larger than this get memory of their own. */
const smallBytes = 4 * 1024;
/** Space kept before the message for the tag and length of the outer message, which are written last. */
const headRoom = 6;

/** Buffer shared by small messages, one behind the other; encoding is never interrupted. Created on first use. */
let slab: Buffer | undefined;
let slabUsed = 0;

/**
 * Writes the fields of one protobuf message with field numbers below 16, then wraps it as a field of an outer message.
 */
export class ByteWriter {
  readonly #buffer: Buffer;
  readonly #start: number;
  #at: number;

  /** `mostBytes` is an upper bound of the message's size. */
  constructor(mostBytes: number) {
    const needed = mostBytes + headRoom;
    if (needed > smallBytes) {
      this.#buffer = Buffer.allocUnsafeSlow(needed);
      this.#start = headRoom;
    } else {
      if (slab === undefined || slabUsed + needed > slabBytes) {
        slab = Buffer.allocUnsafeSlow(slabBytes);
        slabUsed = 0;
      }
      this.#buffer = slab;
      this.#start = slabUsed + headRoom;
    }
    this.#at = this.#start;
  }

  /** Writes a text field; leaves out an empty one, as proto3 does. */
  text(field: number, text: string): void {
    if (text !== "") this.textOrEmpty(field, text, textBytes(text));
  }

  /** Writes a text field of known UTF-8 length, even if it is empty. */
  textOrEmpty(field: number, text: string, length: number): void {
    this.head(field, length);
    if (length === text.length && length < 32) this.#ascii(text);
    else this.#at += this.#buffer.write(text, this.#at);
  }

  /** Writes a bytes field; leaves out an empty one unless `isKept`. */
  bytes(field: number, bytes: Uint8Array, isKept = false): void {
    if (bytes.length === 0 && !isKept) return;
    this.head(field, bytes.length);
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Copies fields that are written already. */
  fields(bytes: Uint8Array, start: number, end: number): void {
    const buffer = this.#buffer;
    if (end - start < 32) for (let at = start; at < end; at += 1) buffer[this.#at + at - start] = bytes[at] ?? 0;
    else buffer.set(bytes.subarray(start, end), this.#at);
    this.#at += end - start;
  }

  /** Writes a field with a whole number up to 2^53 - 1; leaves out 0, as proto3 does. */
  number(field: number, value: number): void {
    if (value === 0) return;
    this.#buffer[this.#at++] = field << 3;
    let rest = value;
    while (rest > 0x7f) {
      this.#buffer[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#at++] = rest;
  }

  /** Writes the tag and length of a field whose content follows. */
  head(field: number, length: number): void {
    this.#buffer[this.#at++] = (field << 3) | 2;
    let rest = length;
    while (rest > 0x7f) {
      this.#buffer[this.#at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#buffer[this.#at++] = rest;
  }

  /** Ends the message and returns it as a field of an outer message. */
  finishedAs(field: number): Uint8Array {
    const length = this.#at - this.#start;
    const end = this.#at;
    const start = this.#start - fieldBytes(length) + length;
    this.#at = start;
    this.head(field, length);
    const buffer = this.#buffer;
    if (buffer === slab) slabUsed = end;
    // The bound is three bytes a character, so a long ASCII message may leave most of its memory unused.
    const isLoose = buffer !== slab && 2 * (end - start) < buffer.length;
    return isLoose ? new Uint8Array(buffer.subarray(start, end)) : new Uint8Array(buffer.buffer, start, end - start);
  }

  #ascii(text: string): void {
    const buffer = this.#buffer;
    let at = this.#at;
    for (let index = 0; index < text.length; index += 1) buffer[at++] = text.charCodeAt(index);
    this.#at = at;
  }
}

/** Returns the UTF-8 length of a text. Throws `invalid-message` for lone surrogates, which UTF-8 cannot hold. */
export function textBytes(text: string): number {
  const length = Buffer.byteLength(text);
  if (length !== text.length && /\p{Surrogate}/u.test(text)) {
    throw new TroupeError(
      "invalid-message",
      `The text ${JSON.stringify(text)} is not valid Unicode and can't be sent.`,
    );
  }
  return length;
}

/** Returns the bytes of a field with its tag and length. */
export function fieldBytes(length: number): number {
  let bytes = 2 + length;
  for (let rest = length >>> 7; rest > 0; rest >>>= 7) bytes += 1;
  return bytes;
}

/** Returns the bytes of a field with a whole number; 0 if it is 0. */
export function numberFieldBytes(value: number): number {
  let bytes = value === 0 ? 0 : 2;
  for (let rest = Math.floor(value / 0x80); rest > 0; rest = Math.floor(rest / 0x80)) bytes += 1;
  return bytes;
}

/** Returns the bytes of a text field; 0 if it is empty. */
export function textFieldBytes(text: string): number {
  return text === "" ? 0 : fieldBytes(textBytes(text));
}

/** Replaces lone surrogates, which UTF-8 cannot hold. For texts that must be sent in any case. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}
