import { Buffer, isUtf8 } from "node:buffer";
import { knownTextAt } from "./known-text.ts";

/** The wire types of protobuf that current encoders write. Groups are not among them: whoever meets one takes the slow road. */
export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
/** Up to these lengths a loop is quicker than a call into the engine: to look at bytes, and to put characters together. */
const shortText = 96;
const tinyText = 7;

/**
 * Steps over the fields of one protobuf message without making anything of them. After a read that fails (`malformed`)
 * the position means nothing. Numbers beyond 31 bits are malformed: neither tags nor lengths of sane frames need them.
 */
export class RawReader {
  readonly bytes: Uint8Array;
  /** Where the message ends that is being read; moved in and out as nested ones are entered and left. */
  end: number;
  position: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  get atEnd(): boolean {
    return this.position >= this.end;
  }

  /** A tag or a length; -1: malformed. */
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

  /** Reads the length of a bytes field and returns where it ends; the position is then at its start. -1: malformed. */
  length(): number {
    const length = this.number();
    if (length < 0) return -1;
    const end = this.position + length;
    return end <= this.end ? end : -1;
  }

  /** Steps over the value of a field; false: malformed or a group. */
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

/** The text between two positions; bytes that are not UTF-8 give replacement characters. */
export function textAt(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > shortText || !isAsciiAt(bytes, start, end)) return decoder.decode(bytes.subarray(start, end));
  if (end - start > tinyText && bytes instanceof Buffer) return bytes.toString("latin1", start, end);
  let text = "";
  for (let at = start; at < end; at += 1) text += String.fromCharCode(bytes[at] ?? 0);
  return text;
}

/** The same for texts that come again and again: names of types, keys, attributes. */
export function nameAt(bytes: Uint8Array, start: number, end: number): string {
  return knownTextAt(bytes, start, end) ?? textAt(bytes, start, end);
}

/** Whether the bytes between two positions are UTF-8, as protobuf demands of every text. */
export function isTextAt(bytes: Uint8Array, start: number, end: number): boolean {
  const isQuick = end - start <= shortText && isAsciiAt(bytes, start, end);
  return isQuick || isUtf8(bytes.subarray(start, end));
}

function isAsciiAt(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if ((bytes[at] ?? 0) >= 0x80) return false;
  return true;
}

/** What may stand in one field: a number, a text, bytes, or a message of a shape. */
export type FieldShape = "number" | "text" | "bytes" | Shape;

/** The fields of a message by number (index 0 is unused). */
export type Shape = readonly (FieldShape | undefined)[];

const none = undefined;

export const agentIdShape: Shape = [none, "text", "text"];
export const payloadShape: Shape = [none, "text", "text", "bytes"];
const timestampShape: Shape = [none, "number", "number"];
const attributeShape: Shape = [none, "number", "number", "text", "bytes", "text", "text", timestampShape];
export const attributeEntryShape: Shape = [none, "text", attributeShape];
export const anyShape: Shape = [none, "text", "bytes"];

/**
 * Steps over one field's value; false when not every peer's parser would take it as of this shape: the host forwards
 * messages unparsed, and one that a worker can't parse must not end that worker's stream. Unknown fields are fine, groups
 * are not.
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
    const tag = reader.number();
    const expected = shape[tag >>> 3];
    if (tag < 8 || !stepOver(expected, tag & 7, reader)) return false;
    // The generated code loses its place at an unknown field in a map's entry, which no encoder writes.
    if (expected === undefined && shape === attributeEntryShape) return false;
  }
  reader.end = outerEnd;
  return true;
}
