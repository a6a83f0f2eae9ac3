import { Buffer, isUtf8 } from "node:buffer";
import { knownTextAt } from "./known-text.ts";

/** Wire types of protobuf that current encoders write. Groups are not among them; the slow path handles those. */
export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/**
 * Most fields of a message that a client may send, with those of the messages in it. The generated code takes 300 ns for a field. So it
 * would take 600 ms for a message of 4 MiB whose fields have two bytes each.
 */
export const MAX_FIELDS = 10_000;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
/**
 * Limits in bytes below which a loop is faster than a call into the engine: for checking bytes, and for building text.
 */
const shortText = 96;
const tinyText = 7;

/**
 * Steps over the fields of one protobuf message without decoding them. After a failed read the position is undefined.
 * Numbers beyond 31 bits are malformed, since tags and lengths of valid frames are shorter.
 */
export class RawReader {
  readonly bytes: Uint8Array;
  /** End of the current message; callers move it when they enter and leave nested messages. */
  end: number;
  position: number;
  /** A field has two bytes at least: a shorter message can't have too many, and need not be counted. */
  readonly #isCounted: boolean;
  #fields = 0;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
    this.#isCounted = end - start > 2 * MAX_FIELDS;
  }

  get atEnd(): boolean {
    return this.position >= this.end;
  }

  /** Whether more than `MAX_FIELDS` tags were read. */
  get hasTooMany(): boolean {
    return this.#fields > MAX_FIELDS;
  }

  /** Reads the tag of a field; -1 if it is malformed, or one more than `MAX_FIELDS`. */
  tag(): number {
    if (!this.#isCounted) return this.number();
    this.#fields += 1;
    return this.hasTooMany ? -1 : this.number();
  }

  /** Reads a tag or a length; -1 if it is malformed. */
  number(): number {
    const { bytes, end } = this;
    let position = this.position;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (position >= end) return -1;
      const byte = bytes[position++] ?? 0;
      if (shift === 28 && byte > 0x07) return -1;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.position = position;
        return value;
      }
    }
    return -1;
  }

  /**
   * Reads the length of a bytes field and returns its end; the position is then at its start. -1 if it is malformed.
   */
  length(): number {
    const length = this.number();
    if (length < 0) return -1;
    const end = this.position + length;
    return end <= this.end ? end : -1;
  }

  /** Steps over the value of a field. Returns false if it is malformed or a group. */
  skip(wireType: number): boolean {
    switch (wireType) {
      case WireType.varint:
        return this.#skipVarint();
      case WireType.fixed64:
        return this.#forward(8);
      case WireType.fixed32:
        return this.#forward(4);
      case WireType.bytes: {
        const end = this.length();
        if (end < 0) return false;
        this.position = end;
        return true;
      }
      default:
        return false;
    }
  }

  #skipVarint(): boolean {
    const last = Math.min(this.end, this.position + 10);
    while (this.position < last) if ((this.bytes[this.position++] ?? 0) < 0x80) return true;
    return false;
  }

  #forward(count: number): boolean {
    this.position += count;
    return this.position <= this.end;
  }
}

/** Decodes the text between two positions; invalid UTF-8 gives replacement characters. */
export function textAt(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > shortText || !isAsciiAt(bytes, start, end)) return decoder.decode(bytes.subarray(start, end));
  if (end - start > tinyText && bytes instanceof Buffer) return bytes.toString("latin1", start, end);
  let text = "";
  for (let at = start; at < end; at += 1) text += String.fromCharCode(bytes[at] ?? 0);
  return text;
}

/** Decodes a text that messages repeat: the name of a type, key or attribute. */
export function nameAt(bytes: Uint8Array, start: number, end: number): string {
  return knownTextAt(bytes, start, end) ?? textAt(bytes, start, end);
}

/** Whether the bytes between two positions are UTF-8, as protobuf requires of texts. */
export function isTextAt(bytes: Uint8Array, start: number, end: number): boolean {
  const isQuick = end - start <= shortText && isAsciiAt(bytes, start, end);
  return isQuick || isUtf8(bytes.subarray(start, end));
}

function isAsciiAt(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if ((bytes[at] ?? 0) >= 0x80) return false;
  return true;
}

/** Expected content of a field: a number, a text, bytes, or a message. */
type FieldShape = "number" | "text" | "bytes" | Shape;

/** The fields of a message by number; index 0 is unused. */
export type Shape = readonly (FieldShape | undefined)[];

const none = undefined;

export const agentIdShape: Shape = [none, "text", "text"];
export const payloadShape: Shape = [none, "text", "text", "bytes"];
const timestampShape: Shape = [none, "number", "number"];
const attributeShape: Shape = [none, "number", "number", "text", "bytes", "text", "text", timestampShape];
export const attributeEntryShape: Shape = [none, "text", attributeShape];
export const anyShape: Shape = [none, "text", "bytes"];

/**
 * Steps over one field's value. Returns false if some peer's parser would refuse it: the host forwards messages without
 * decoding, and a bad one must not end a worker's stream. Accepts unknown fields, but not groups.
 */
export function stepOver(expected: FieldShape | undefined, wireType: number, reader: RawReader): boolean {
  if (expected === undefined) return reader.skip(wireType);
  if (expected === "number") return wireType === WireType.varint && reader.skip(wireType);
  if (wireType !== WireType.bytes) return false;
  const end = reader.length();
  if (end < 0) return false;
  if (typeof expected !== "string") return stepThrough(expected, reader, end);
  const start = reader.position;
  reader.position = end;
  return expected === "bytes" || isTextAt(reader.bytes, start, end);
}

function stepThrough(shape: Shape, reader: RawReader, end: number): boolean {
  const outerEnd = reader.end;
  reader.end = end;
  while (!reader.atEnd) {
    const tag = reader.tag();
    const expected = shape[tag >>> 3];
    if (tag < 8 || !stepOver(expected, tag & 7, reader)) return false;
    // The generated code misreads an unknown field in a map's entry; no encoder writes one.
    if (expected === undefined && shape === attributeEntryShape) return false;
  }
  reader.end = outerEnd;
  return true;
}
