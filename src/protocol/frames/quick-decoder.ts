import { isUtf8 } from "node:buffer";
import { jsonContentType, protobufContentType } from "../../core/internal.ts";
import { EventAttributes, type EventData, noEventData, wireEvent } from "./cloud-event.ts";
import type { Frame, WireAgentId, WirePayload } from "./frame.ts";
import { knownTextAt } from "./known-text.ts";
import { anyShape, RawReader, stepOver, textAt, WireType } from "./raw-reader.ts";

/** Thrown and caught in this file: the bytes are not in canonical form. */
const odd = new Error("not canonical");

/**
 * Decodes calls, answers and events in the form that all known peers write. Undefined for anything else: other arms,
 * repeated or unknown fields, attributes that are not text, invalid UTF-8. The generated code then decides.
 */
export function decodeQuickly(bytes: Uint8Array): Frame | undefined {
  const reader = new RawReader(bytes, 0, bytes.length);
  const tag = reader.number();
  if (tag !== 0x0a && tag !== 0x12 && tag !== 0x1a) return undefined;
  if (reader.length() !== bytes.length) return undefined;
  try {
    if (tag === 0x0a) return readRequest(reader);
    return tag === 0x12 ? readResponse(reader) : readEvent(reader);
  } catch (error) {
    if (error === odd) return undefined;
    throw error;
  }
}

function readRequest(reader: RawReader): Frame {
  let requestId: string | undefined;
  let source: WireAgentId | undefined;
  let target: WireAgentId | undefined;
  let payload: WirePayload | undefined;
  const metadata: { [name: string]: string } = {};
  while (!reader.atEnd) {
    switch (reader.number()) {
      case 0x0a:
        requestId = once(requestId, readText(reader));
        break;
      case 0x12:
        source = once(source, readId(reader));
        break;
      case 0x1a:
        target = once(target, readId(reader));
        break;
      case 0x22:
        readText(reader);
        break;
      case 0x2a:
        payload = once(payload, readPayload(reader));
        break;
      case 0x32:
        readEntry(reader, metadata);
        break;
      default:
        throw odd;
    }
  }
  return { kind: "request", requestId: requestId ?? "", source, target, payload, metadata };
}

function readResponse(reader: RawReader): Frame {
  let requestId: string | undefined;
  let payload: WirePayload | undefined;
  let error: string | undefined;
  const metadata: { [name: string]: string } = {};
  while (!reader.atEnd) {
    switch (reader.number()) {
      case 0x0a:
        requestId = once(requestId, readText(reader));
        break;
      case 0x12:
        payload = once(payload, readPayload(reader));
        break;
      case 0x1a:
        error = once(error, readText(reader));
        break;
      case 0x22:
        readEntry(reader, metadata);
        break;
      default:
        throw odd;
    }
  }
  return { kind: "response", requestId: requestId ?? "", payload, error: error ?? "", metadata };
}

function readEvent(reader: RawReader): Frame {
  let id: string | undefined;
  let source: string | undefined;
  let type: string | undefined;
  let data: EventData | undefined;
  const attributes = new EventAttributes();
  while (!reader.atEnd) {
    switch (reader.number()) {
      case 0x0a:
        id = once(id, readText(reader));
        break;
      case 0x12:
        source = once(source, readName(reader));
        break;
      case 0x1a:
        readName(reader);
        break;
      case 0x22:
        type = once(type, readName(reader));
        break;
      case 0x2a:
        readAttribute(reader, attributes);
        break;
      case 0x32:
        data = once(data, { bytes: readBytes(reader), impliedContentType: "" });
        break;
      case 0x3a:
        data = once(data, { bytes: readUtf8(reader), impliedContentType: jsonContentType });
        break;
      case 0x42:
        data = once(data, { bytes: readAny(reader), impliedContentType: protobufContentType });
        break;
      default:
        throw odd;
    }
  }
  return { kind: "event", event: wireEvent(id ?? "", type ?? "", source ?? "", attributes, data ?? noEventData) };
}

function readId(reader: RawReader): WireAgentId {
  const outerEnd = enter(reader);
  let type: string | undefined;
  let key: string | undefined;
  while (!reader.atEnd) {
    const tag = reader.number();
    if (tag === 0x0a) type = once(type, readName(reader));
    else if (tag === 0x12) key = once(key, readName(reader));
    else throw odd;
  }
  reader.end = outerEnd;
  return { type: type ?? "", key: key ?? "" };
}

function readPayload(reader: RawReader): WirePayload {
  const outerEnd = enter(reader);
  let typeName: string | undefined;
  let contentType: string | undefined;
  let data: Uint8Array | undefined;
  while (!reader.atEnd) {
    const tag = reader.number();
    if (tag === 0x0a) typeName = once(typeName, readName(reader));
    else if (tag === 0x12) contentType = once(contentType, readName(reader));
    else if (tag === 0x1a) data = once(data, readBytes(reader));
    else throw odd;
  }
  reader.end = outerEnd;
  return { typeName: typeName ?? "", contentType: contentType ?? "", data: data ?? noEventData.bytes };
}

/** Reads one entry of a map of texts. Of a repeated name the last value counts. */
function readEntry(reader: RawReader, into: { [name: string]: string }): void {
  const { type, key } = readId(reader);
  into[type] = key;
}

function readAttribute(reader: RawReader, into: EventAttributes): void {
  const outerEnd = enter(reader);
  let name: string | undefined;
  let value: string | undefined;
  while (!reader.atEnd) {
    const tag = reader.number();
    if (tag === 0x0a) name = once(name, readName(reader));
    else if (tag === 0x12) value = once(value, readAttributeValue(reader));
    else throw odd;
  }
  reader.end = outerEnd;
  into.set(name ?? "", value);
}

// protocol.md W22
/** Reads `ce_string`, `ce_uri` or `ce_uri_ref`; undefined if no arm is set. */
function readAttributeValue(reader: RawReader): string | undefined {
  const outerEnd = enter(reader);
  let value: string | undefined;
  while (!reader.atEnd) {
    const tag = reader.number();
    if (tag !== 0x1a && tag !== 0x2a && tag !== 0x32) throw odd;
    value = once(value, readName(reader));
  }
  reader.end = outerEnd;
  return value;
}

/** Enters a nested message; returns the end of the outer one. */
function enter(reader: RawReader): number {
  const outerEnd = reader.end;
  const end = reader.length();
  if (end < 0) throw odd;
  reader.end = end;
  return outerEnd;
}

function readText(reader: RawReader): string {
  const end = reader.length();
  if (end < 0) throw odd;
  const text = checkedTextAt(reader.bytes, reader.position, end);
  reader.position = end;
  return text;
}

/** Reads a text that other messages repeat. */
function readName(reader: RawReader): string {
  const end = reader.length();
  if (end < 0) throw odd;
  const { bytes, position } = reader;
  const text = knownTextAt(bytes, position, end) ?? checkedTextAt(bytes, position, end);
  reader.position = end;
  return text;
}

function checkedTextAt(bytes: Uint8Array, start: number, end: number): string {
  const text = textAt(bytes, start, end);
  if (!isText(text, bytes, start, end)) throw odd;
  return text;
}

/** Whether these bytes, decoded to this text, are UTF-8. Only ASCII and invalid bytes give one character a byte. */
function isText(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  return text.length === end - start ? !text.includes("\ufffd") : isUtf8(bytes.subarray(start, end));
}

function readBytes(reader: RawReader): Uint8Array {
  const end = reader.length();
  if (end < 0) throw odd;
  const bytes = reader.bytes.subarray(reader.position, end);
  reader.position = end;
  return bytes;
}

/** Returns the bytes of an `Any` unchanged. */
function readAny(reader: RawReader): Uint8Array {
  const start = reader.position;
  if (!stepOver(anyShape, WireType.bytes, reader)) throw odd;
  reader.position = start;
  return readBytes(reader);
}

function readUtf8(reader: RawReader): Uint8Array {
  const bytes = readBytes(reader);
  if (!isUtf8(bytes)) throw odd;
  return bytes;
}

function once<T>(before: T | undefined, now: T): T {
  if (before !== undefined) throw odd;
  return now;
}
