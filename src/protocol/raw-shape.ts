import { isTextAt, RawReader, WireType } from "./raw-reader.ts";

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
 * Whether every peer's parser would take the bytes between two positions as a message of this shape: the host forwards
 * them unparsed, and a message that one worker can't parse must not end another worker's stream. Unknown fields are fine,
 * groups are not.
 */
export function isWellFormed(shape: Shape, bytes: Uint8Array, start: number, end: number): boolean {
  const reader = new RawReader(bytes, start, end);
  while (!reader.atEnd) {
    const tag = reader.number();
    if (tag < 8) return false;
    if (!stepOver(shape[tag >>> 3], tag & 7, reader)) return false;
  }
  return true;
}

/** Steps over one field's value; false when it is not of the shape expected there. */
export function stepOver(expected: FieldShape | undefined, wireType: number, reader: RawReader): boolean {
  if (expected === undefined || expected === "number") {
    return (expected === undefined || wireType === WireType.varint) && reader.skip(wireType);
  }
  if (wireType !== WireType.bytes) return false;
  const end = reader.length();
  if (end < 0) return false;
  const start = reader.position;
  reader.position = end;
  if (expected === "bytes") return true;
  return expected === "text" ? isTextAt(reader.bytes, start, end) : isWellFormed(expected, reader.bytes, start, end);
}
