import { Buffer } from "node:buffer";
import { TroupeError } from "../../core/internal.ts";

const slabBytes = 64 * 1024;
/** Messages that may take more than this are given memory of their own. */
const smallBytes = 4 * 1024;
/** Room before the message for what is only known after it: one tag and one length. */
const headRoom = 6;

/** Small messages stand in it one behind the other, for nothing here is interrupted; made on first use. */
let slab: Buffer | undefined;
let slabUsed = 0;

/** Writes the fields of one protobuf message whose field numbers are all below 16, then puts tag and length of an outer one before it. */
export class ByteWriter {
  readonly #buffer: Buffer;
  readonly #start: number;
  #at: number;

  /** `mostBytes`: an upper bound of what will be written. */
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

  /** A text field; an empty one is left out, as proto3 has it. */
  text(field: number, text: string): void {
    if (text !== "") this.textOrEmpty(field, text, textBytes(text));
  }

  /** A text field whose UTF-8 length is known, written even if it is empty. */
  textOrEmpty(field: number, text: string, length: number): void {
    this.head(field, length);
    if (length === text.length && length < 32) this.#ascii(text);
    else this.#at += this.#buffer.write(text, this.#at);
  }

  /** A bytes field; empty ones are written only if asked. */
  bytes(field: number, bytes: Uint8Array, isKept = false): void {
    if (bytes.length === 0 && !isKept) return;
    this.head(field, bytes.length);
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Tag and length of a field whose content is written next. */
  head(field: number, length: number): void {
    this.#buffer[this.#at++] = (field << 3) | 2;
    let rest = length;
    while (rest > 0x7f) {
      this.#buffer[this.#at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#buffer[this.#at++] = rest;
  }

  /** The message, as the one field of an outer message. */
  finishedAs(field: number): Uint8Array {
    const length = this.#at - this.#start;
    const end = this.#at;
    const start = this.#start - fieldBytes(length) + length;
    this.#at = start;
    this.head(field, length);
    const buffer = this.#buffer;
    if (buffer === slab) slabUsed = end;
    // Texts are bounded by three bytes a character: of a long message in ASCII most of the memory may be unused.
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

/** Length of a text in UTF-8. Throws `invalid-message` for one with lone surrogates, which UTF-8 can't hold: it would arrive as another. */
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

/** Bytes of a field with its tag and length. */
export function fieldBytes(length: number): number {
  let bytes = 2 + length;
  for (let rest = length >>> 7; rest > 0; rest >>>= 7) bytes += 1;
  return bytes;
}

/** Bytes of a text field; none when it is empty. */
export function textFieldBytes(text: string): number {
  return text === "" ? 0 : fieldBytes(textBytes(text));
}

/** The text with lone surrogates replaced, which UTF-8 can't hold: for texts that must get through whatever they are. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}
