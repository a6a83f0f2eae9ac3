import { bareContentType, protobufContentType } from "../../core/internal.ts";
import { attribute, eventSpecVersion, publishKind, unknownSender } from "../wire-names.ts";
import { ByteWriter, fieldBytes, textBytes, textFieldBytes } from "./byte-writer.ts";
import type {
  EventFrame,
  RequestFrame,
  ResponseFrame,
  WireAgentId,
  WireEvent,
  WireMetadata,
  WirePayload,
} from "./frame.ts";
import { RawReader, textAt, WireType } from "./raw-reader.ts";

// The fields: protocol.md §1.2
/** Encodes calls, answers and events field by field, in a tenth of the generated code's time. */
export function encodeQuickly(frame: RequestFrame | ResponseFrame | EventFrame): Uint8Array {
  switch (frame.kind) {
    case "request": {
      const { requestId, source, target, payload, metadata } = frame;
      const bound = textBound(requestId) + idBound(source) + idBound(target) + payloadBound(payload);
      const writer = new ByteWriter(bound + metadataBound(metadata));
      writer.text(1, requestId);
      if (source !== undefined) writeId(writer, 2, source);
      if (target !== undefined) writeId(writer, 3, target);
      if (payload !== undefined) writePayload(writer, 5, payload);
      writeMetadata(writer, 6, metadata);
      return writer.finishedAs(1);
    }
    case "response": {
      const { requestId, payload, error, metadata } = frame;
      const bound = textBound(requestId) + payloadBound(payload) + textBound(error);
      const writer = new ByteWriter(bound + metadataBound(metadata));
      writer.text(1, requestId);
      if (payload !== undefined) writePayload(writer, 2, payload);
      writer.text(3, error);
      writeMetadata(writer, 4, metadata);
      return writer.finishedAs(2);
    }
    case "event":
      return encodeEvent(frame.event);
  }
}

/** Parts of a call that `reencodeCall` replaces. */
export interface ChangedCall {
  readonly requestId: string;
  /** Keys of the metadata that it leaves out. */
  readonly without: ReadonlySet<string>;
  /** Entries of the metadata that it adds. */
  readonly metadata: WireMetadata;
}

/**
 * Encodes a call anew with another request id and other metadata; the rest of its bytes is copied. Undefined: they are in a form that no canonical
 * encoder writes, or are no call.
 */
export function reencodeCall(frame: Uint8Array, { requestId, without, metadata }: ChangedCall): Uint8Array | undefined {
  const reader = new RawReader(frame, 0, frame.length);
  if (reader.number() !== callArm || reader.length() !== frame.length) return undefined;
  const writer = new ByteWriter(textBound(requestId) + frame.length + metadataBound(metadata));
  writer.text(1, requestId);
  // The fields from here on are to be copied.
  let start = reader.position;
  while (!reader.atEnd) {
    const fieldStart = reader.position;
    const tag = reader.tag();
    if (tag < 8) return undefined;
    const end = (tag & 7) === WireType.bytes ? reader.length() : -1;
    if (end < 0) return undefined;
    const key = tag === entryTag ? keyOf(reader, end) : "";
    if (key === undefined) return undefined;
    reader.position = end;
    if (tag !== requestIdTag && (tag !== entryTag || !without.has(key))) continue;
    writer.fields(frame, start, fieldStart);
    start = end;
  }
  writer.fields(frame, start, frame.length);
  writeMetadata(writer, 6, metadata);
  return writer.finishedAs(1);
}

const callArm = 0x0a;
const requestIdTag = 0x0a;
const entryTag = 0x32;
const entryKeyTag = 0x0a;

/** Reads the key of a metadata entry in canonical form, where it stands first. */
function keyOf(reader: RawReader, entryEnd: number): string | undefined {
  if (reader.number() !== entryKeyTag) return undefined;
  const end = reader.length();
  return end < 0 || end > entryEnd ? undefined : textAt(reader.bytes, reader.position, end);
}

function encodeEvent(event: WireEvent): Uint8Array {
  const { id, topicType, topicSource, payload, sender, attributes } = event;
  const { type, key } = sender ?? { type: unknownSender, key: unknownSender };
  const bound = textBound(id) + textBound(topicType) + textBound(topicSource) + payloadBound(payload);
  const writer = new ByteWriter(bound + textBound(type) + textBound(key) + metadataBound(attributes) + 400);
  writer.text(1, id);
  writer.text(2, topicSource);
  writer.text(3, eventSpecVersion);
  writer.text(4, topicType);
  for (const name in attributes) {
    const value = attributes[name];
    if (value !== undefined && !ownAttributes.has(name)) writeAttribute(writer, name, value);
  }
  writeAttribute(writer, attribute.contentType, payload.contentType);
  writeAttribute(writer, attribute.schema, payload.typeName);
  writeAttribute(writer, attribute.senderType, type);
  writeAttribute(writer, attribute.senderKey, key);
  writeAttribute(writer, attribute.kind, publishKind);
  writer.bytes(bareContentType(payload.contentType) === protobufContentType ? 8 : 6, payload.data, true);
  return writer.finishedAs(3);
}

const ownAttributes: ReadonlySet<string> = new Set(Object.values(attribute));

function writeId(writer: ByteWriter, field: number, { type, key }: WireAgentId): void {
  writer.head(field, textFieldBytes(type) + textFieldBytes(key));
  writer.text(1, type);
  writer.text(2, key);
}

function writePayload(writer: ByteWriter, field: number, { typeName, contentType, data }: WirePayload): void {
  const dataBytes = data.length === 0 ? 0 : fieldBytes(data.length);
  writer.head(field, textFieldBytes(typeName) + textFieldBytes(contentType) + dataBytes);
  writer.text(1, typeName);
  writer.text(2, contentType);
  writer.bytes(3, data);
}

/** Map entries have both fields, even if they are empty, as protobuf-es writes them. */
function writeMetadata(writer: ByteWriter, field: number, metadata: WireMetadata): void {
  for (const name in metadata) {
    const value = metadata[name] ?? "";
    const nameBytes = textBytes(name);
    const valueBytes = textBytes(value);
    writer.head(field, fieldBytes(nameBytes) + fieldBytes(valueBytes));
    writer.textOrEmpty(1, name, nameBytes);
    writer.textOrEmpty(2, value, valueBytes);
  }
}

/** Writes an attribute; its value is a message of its own with `ce_string`. */
function writeAttribute(writer: ByteWriter, name: string, value: string): void {
  const nameBytes = textBytes(name);
  const valueBytes = textBytes(value);
  writer.head(5, fieldBytes(nameBytes) + fieldBytes(fieldBytes(valueBytes)));
  writer.textOrEmpty(1, name, nameBytes);
  writer.head(2, fieldBytes(valueBytes));
  writer.textOrEmpty(3, value, valueBytes);
}

/** Returns the upper bound of a text field: three bytes a character, with tag and length. */
function textBound(text: string): number {
  return text.length * 3 + 6;
}

function idBound(id: WireAgentId | undefined): number {
  return id === undefined ? 0 : textBound(id.type) + textBound(id.key) + 6;
}

function payloadBound(payload: WirePayload | undefined): number {
  if (payload === undefined) return 0;
  return textBound(payload.typeName) + textBound(payload.contentType) + payload.data.length + 12;
}

function metadataBound(metadata: WireMetadata): number {
  let bound = 0;
  for (const name in metadata) bound += textBound(name) + textBound(metadata[name] ?? "") + 18;
  return bound;
}
