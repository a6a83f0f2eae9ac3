import { longestPath } from "../call-path.ts";
import { parseTimeout, parseWindow } from "../extension-metadata.ts";
import {
  agentIdShape,
  anyShape,
  attributeEntryShape,
  isTextAt,
  nameAt,
  payloadShape,
  RawReader,
  type Shape,
  stepOver,
  textAt,
} from "../frames/raw-reader.ts";
import { hostKeys, metadataKey, troupeKeys } from "../wire-names.ts";
import type { PeekedEvent, PeekedRequest, PeekedResponse, RequestIdPlace } from "./peeked-frame.ts";

// Each function walks over every field of one message. At a form that no canonical encoder writes, it returns
// undefined, and the caller takes the slow path.

const requestShape: Shape = [undefined, "text", agentIdShape, agentIdShape, "text", payloadShape];
const requestMetadata = 6;
const responseShape: Shape = [undefined, "text", payloadShape, "text"];
const responseMetadata = 4;
const eventShape: Shape = [undefined, "text", "text", "text", "text", attributeEntryShape, "bytes", "text", anyShape];
const target = 3;
const eventType = 4;
const eventAttributes = 5;
const deliveryLength = metadataKey.delivery.length;
const deliveryStart = metadataKey.delivery.charCodeAt(0);
const firstDataArm = 6;
const protoData = 8;

const noRequestId: RequestIdPlace = { count: 0, fieldStart: 0, textStart: 0, end: 0 };

export function peekRequest(bytes: Uint8Array, bodyStart: number): PeekedRequest | undefined {
  const reader = new RawReader(bytes, bodyStart, bytes.length);
  let requestId = noRequestId;
  let targetId: { readonly type: string; readonly key: string } | undefined;
  let timeoutMs: number | undefined;
  let hasPath = false;
  let path = "";
  let hasHostKeys = false;
  let isTold = false;
  let isKeyed = false;
  let streamBytes: number | undefined;
  while (!reader.atEnd) {
    const fieldStart = reader.position;
    const tag = reader.tag();
    if (tag < 8) return undefined;
    const field = tag >>> 3;
    if (field === requestMetadata) {
      const value = tag === 0x32 ? readEntry(reader) : undefined;
      if (value === undefined) return undefined;
      // Of a repeated entry the last one counts, even if it is empty.
      if (value.isTimeout) timeoutMs = value.timeoutMs;
      else if (value.isPath) {
        hasPath = true;
        path = value.path ?? path;
      } else if (value.isHostKey) hasHostKeys = true;
      else if (value.isDelivery) isTold = true;
      else if (value.isKey) isKeyed = true;
      else if (value.streamBytes !== undefined) streamBytes = value.streamBytes;
      continue;
    }
    const valueStart = reader.position;
    if (!stepOver(requestShape[field], tag & 7, reader)) return undefined;
    if (field === 1) requestId = placeOf(requestId, reader, fieldStart, valueStart);
    else if (field === target) {
      if (targetId !== undefined) return undefined;
      targetId = readAgentId(bytes, valueStart, reader.position);
    }
  }
  return {
    kind: "request",
    bytes,
    bodyStart,
    requestId,
    targetType: targetId?.type,
    targetKey: targetId?.key ?? "",
    timeoutMs,
    hasPath,
    path,
    hasHostKeys,
    isTold,
    isKeyed,
    streamBytes,
  };
}

export function peekResponse(bytes: Uint8Array, bodyStart: number): PeekedResponse | undefined {
  const reader = new RawReader(bytes, bodyStart, bytes.length);
  let requestId = noRequestId;
  let hasTroupeKeys = false;
  let chunks = 0;
  while (!reader.atEnd) {
    const fieldStart = reader.position;
    const tag = reader.tag();
    if (tag < 8) return undefined;
    const field = tag >>> 3;
    if (field === responseMetadata) {
      const entry = tag === 0x22 ? readEntry(reader) : undefined;
      if (entry === undefined) return undefined;
      if (entry.isTroupeKey) hasTroupeKeys = true;
      // Of a repeated entry the last one counts.
      if (entry.chunks !== undefined) chunks = entry.chunks;
      continue;
    }
    const valueStart = reader.position;
    if (!stepOver(responseShape[field], tag & 7, reader)) return undefined;
    if (field === 1) requestId = placeOf(requestId, reader, fieldStart, valueStart);
  }
  return { kind: "response", bytes, bodyStart, requestId, hasTroupeKeys, chunks };
}

export function peekEvent(bytes: Uint8Array, bodyStart: number): PeekedEvent | undefined {
  const reader = new RawReader(bytes, bodyStart, bytes.length);
  let topicType = "";
  let dataArm = 0;
  let isDurable = false;
  while (!reader.atEnd) {
    const tag = reader.tag();
    if (tag < 8) return undefined;
    const field = tag >>> 3;
    const valueStart = reader.position;
    if (!stepOver(eventShape[field], tag & 7, reader)) return undefined;
    if (field === eventAttributes) {
      // The key `dataschema` of each event is as long.
      const isLikely = bytes[valueStart + 2] === deliveryLength && bytes[valueStart + 3] === deliveryStart;
      if (isLikely && isDeliveryAttribute(bytes, valueStart, reader.position)) isDurable = true;
    } else if (field === eventType) topicType = readLengthAndText(bytes, valueStart, reader.position);
    else if (field >= firstDataArm && field <= protoData) dataArm = field;
  }
  return { kind: "event", bytes, bodyStart, topicType, hasProtoData: dataArm === protoData, isDurable };
}

/**
 * Whether an entry of the attributes has the key `agdelivery`. The entry is short, so that its length, the tag of its key and the length of the
 * key are a byte each. Most entries differ in the last of these.
 */
function isDeliveryAttribute(bytes: Uint8Array, valueStart: number, end: number): boolean {
  const keyStart = valueStart + 3;
  const keyEnd = keyStart + metadataKey.delivery.length;
  return keyEnd <= end && bytes[valueStart + 1] === keyTag && isKey(metadataKey.delivery, bytes, keyStart, keyEnd);
}

/** `reader` has just stepped over the text field that began at `fieldStart`. */
function placeOf(before: RequestIdPlace, reader: RawReader, fieldStart: number, valueStart: number): RequestIdPlace {
  const end = reader.position;
  return { count: before.count + 1, fieldStart, textStart: afterLength(reader.bytes, valueStart), end };
}

/** Returns the position after a valid length. */
function afterLength(bytes: Uint8Array, start: number): number {
  let at = start;
  while ((bytes[at] ?? 0) >= 0x80) at += 1;
  return at + 1;
}

function readLengthAndText(bytes: Uint8Array, valueStart: number, end: number): string {
  return nameAt(bytes, afterLength(bytes, valueStart), end);
}

/** Reads type and key of a well-formed agent id. Of a repeated field the last one counts. */
function readAgentId(
  bytes: Uint8Array,
  valueStart: number,
  end: number,
): { readonly type: string; readonly key: string } {
  const reader = new RawReader(bytes, afterLength(bytes, valueStart), end);
  let type = "";
  let key = "";
  while (!reader.atEnd) {
    const tag = reader.number();
    const field = tag >>> 3;
    if (field !== 1 && field !== 2) {
      reader.skip(tag & 7);
      continue;
    }
    const textEnd = reader.length();
    const text = nameAt(bytes, reader.position, textEnd);
    if (field === 1) type = text;
    else key = text;
    reader.position = textEnd;
  }
  return { type, key };
}

interface Entry {
  readonly isTimeout: boolean;
  /** Whether only announced peers get the entry of an answer. */
  readonly isTroupeKey: boolean;
  /** Whether it is the path or the depth of a call. */
  readonly isPath: boolean;
  /** The path; undefined for another entry. */
  readonly path: string | undefined;
  /** Whether only hosts set the entry of a call. */
  readonly isHostKey: boolean;
  /** Whether it asks the host to keep the call. */
  readonly isDelivery: boolean;
  /** Whether it names the call for an agent that remembers it. */
  readonly isKey: boolean;
  readonly timeoutMs: number | undefined;
  /** The bytes of chunks for which a call asks, 0 for a value that asks for none. Undefined for another entry. */
  readonly streamBytes: number | undefined;
  /** The chunks before an answer, 0 for a value that names none. Undefined for another entry. */
  readonly chunks: number | undefined;
}

const otherEntry: Entry = {
  ...{ isTimeout: false, isTroupeKey: false, isPath: false, isHostKey: false, isDelivery: false, isKey: false },
  ...{ path: undefined, timeoutMs: undefined, streamBytes: undefined, chunks: undefined },
};
const emptyTimeout: Entry = { ...otherEntry, isTimeout: true };
const troupeEntry: Entry = { ...otherEntry, isTroupeKey: true };
const emptyChunks: Entry = { ...troupeEntry, chunks: 0 };
const emptyStream: Entry = { ...otherEntry, streamBytes: 0 };
const depthEntry: Entry = { ...otherEntry, isPath: true };
const emptyPath: Entry = { ...otherEntry, isPath: true, path: "" };
const hostEntry: Entry = { ...otherEntry, isHostKey: true };
const deliveryEntry: Entry = { ...otherEntry, isDelivery: true };
const idempotencyEntry: Entry = { ...otherEntry, isKey: true };
const keyTag = 0x0a;
const valueTag = 0x12;

/** Reads one entry of a metadata map in canonical form: the key, then at most the value. */
function readEntry(reader: RawReader): Entry | undefined {
  const { bytes } = reader;
  const end = reader.length();
  if (end < 0 || reader.number() !== keyTag) return undefined;
  const keyEnd = reader.length();
  if (keyEnd < 0 || keyEnd > end || !isTextAt(bytes, reader.position, keyEnd)) return undefined;
  const isTimeout = isKey(metadataKey.timeoutMs, bytes, reader.position, keyEnd);
  const isTroupeKey = !isTimeout && isTroupeKeyAt(bytes, reader.position, keyEnd);
  const untimed = isTroupeKey ? troupeEntryAt(bytes, reader.position, keyEnd) : entryAt(bytes, reader.position, keyEnd);
  reader.position = keyEnd;
  if (keyEnd === end) return isTimeout ? emptyTimeout : untimed;
  if (reader.number() !== valueTag || reader.length() !== end) return undefined;
  const valueStart = reader.position;
  if (valueStart > end || !isTextAt(bytes, valueStart, end)) return undefined;
  reader.position = end;
  if (untimed === emptyPath)
    return isPathAt(valueStart, end) ? { ...emptyPath, path: textAt(bytes, valueStart, end) } : emptyPath;
  if (untimed === emptyStream) return { ...emptyStream, streamBytes: parseWindow(textAt(bytes, valueStart, end)) };
  if (untimed === emptyChunks) return { ...emptyChunks, chunks: parseWindow(textAt(bytes, valueStart, end)) };
  if (!isTimeout) return untimed;
  return { ...emptyTimeout, timeoutMs: parseTimeout(textAt(bytes, valueStart, end)) };
}

/** Whether a value is as short as a path may be. A character has three bytes at most. */
function isPathAt(start: number, end: number): boolean {
  return end - start <= 3 * longestPath;
}

function entryAt(bytes: Uint8Array, start: number, end: number): Entry {
  if (isKey(metadataKey.path, bytes, start, end)) return emptyPath;
  if (isKey(metadataKey.depth, bytes, start, end)) return depthEntry;
  if (isKey(metadataKey.stream, bytes, start, end)) return emptyStream;
  if (isKey(metadataKey.delivery, bytes, start, end)) return deliveryEntry;
  if (isKey(metadataKey.idempotency, bytes, start, end)) return idempotencyEntry;
  return isHostKeyAt(bytes, start, end) ? hostEntry : otherEntry;
}

function troupeEntryAt(bytes: Uint8Array, start: number, end: number): Entry {
  return isKey(metadataKey.chunks, bytes, start, end) ? emptyChunks : troupeEntry;
}

function isTroupeKeyAt(bytes: Uint8Array, start: number, end: number): boolean {
  return troupeKeys.some((key) => isKey(key, bytes, start, end));
}

function isHostKeyAt(bytes: Uint8Array, start: number, end: number): boolean {
  for (const key of hostKeys) if (isKey(key, bytes, start, end)) return true;
  return false;
}

function isKey(key: string, bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === key.length && textAt(bytes, start, end) === key;
}
