import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { MAX_FIELDS, RawReader, WireType } from "./raw-reader.ts";

const keyTag = 0x0a;
const valueTag = 0x12;
const startGroup = 3;
const endGroup = 4;
const leastFieldBytes = 2;

/**
 * Throws `Error` for a message with more than `MAX_FIELDS` fields, and stops there. A message that is long enough for so many must have
 * the wire types of its schema. The generated code reads others in a way of its own.
 */
export function assertFewFields(schema: DescMessage, bytes: Uint8Array): void {
  if (bytes.length <= MAX_FIELDS * leastFieldBytes) return;
  const reader = new RawReader(bytes, 0, bytes.length);
  if (walkMessage(reader, schema)) return;
  throw new Error(reader.hasTooMany ? `it has more than ${MAX_FIELDS} fields` : "its fields are not well-formed");
}

/** Steps over the fields up to the reader's end. Returns false if one is malformed, or too many. */
function walkMessage(reader: RawReader, schema: DescMessage): boolean {
  const known = new Map(schema.fields.map((field) => [field.number, field]));
  while (!reader.atEnd) {
    const tag = reader.tag();
    if (tag < 8) return false;
    const field = known.get(tag >>> 3);
    if (!(field === undefined ? skipUnknown(reader, tag) : walkField(reader, field, tag & 7))) return false;
  }
  return true;
}

function walkField(reader: RawReader, field: DescField, wireType: number): boolean {
  if (wireType !== wireTypeOf(field)) return false;
  if (field.fieldKind === "map") return within(reader, () => walkEntry(reader, field.message));
  const { message } = field;
  return message === undefined ? reader.skip(wireType) : within(reader, () => walkMessage(reader, message));
}

/** Walks over the message whose length comes next. */
function within(reader: RawReader, walkContent: () => boolean): boolean {
  const outerEnd = reader.end;
  const end = reader.length();
  if (end < 0) return false;
  reader.end = end;
  if (!walkContent() || reader.position !== end) return false;
  reader.end = outerEnd;
  return true;
}

/**
 * Walks over an entry of a map: a text, then a text or a message. The generated code misreads an unknown field in an entry; no encoder
 * writes one.
 */
function walkEntry(reader: RawReader, valueSchema: DescMessage | undefined): boolean {
  while (!reader.atEnd) {
    const tag = reader.tag();
    if (tag !== keyTag && tag !== valueTag) return false;
    const isMessage = tag === valueTag && valueSchema !== undefined;
    if (!(isMessage ? within(reader, () => walkMessage(reader, valueSchema)) : reader.skip(WireType.bytes)))
      return false;
  }
  return true;
}

/** The wire type that every encoder writes for a field of this protocol: its lists hold texts or messages. */
function wireTypeOf({ fieldKind, scalar }: DescField): number {
  const isNumber =
    fieldKind === "enum" || (fieldKind === "scalar" && scalar !== ScalarType.STRING && scalar !== ScalarType.BYTES);
  return isNumber ? WireType.varint : WireType.bytes;
}

function skipUnknown(reader: RawReader, tag: number): boolean {
  if ((tag & 7) !== startGroup) return reader.skip(tag & 7);
  const open = [tag >>> 3];
  while (open.length > 0) {
    const inner = reader.tag();
    if (inner < 8) return false;
    if ((inner & 7) === startGroup) open.push(inner >>> 3);
    else if ((inner & 7) === endGroup) {
      if (open.pop() !== inner >>> 3) return false;
    } else if (!reader.skip(inner & 7)) return false;
  }
  return true;
}
