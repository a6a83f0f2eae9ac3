import { isTextAt, type RawReader, WireType } from "./raw-reader.ts";

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
