import { Buffer } from "node:buffer";
import { textAt } from "../frames/raw-reader.ts";
import type { PeekedRequest, PeekedResponse } from "./peeked-frame.ts";

/**
 * A frame in two parts: a new beginning, and the rest of the original frame. The next splice reuses the memory of
 * `head`, so send or join the frame before.
 */
export interface SplicedFrame {
  readonly head: Uint8Array;
  readonly rest: Uint8Array;
  /** Length of both parts together. */
  readonly byteLength: number;
}

/** The bytes of one frame, in one part or in two. */
export type FrameBytes = Uint8Array | SplicedFrame;

/** Joins the parts of a frame; a frame in one part is returned as it is. */
export function joinFrame(frame: FrameBytes): Uint8Array {
  return frame instanceof Uint8Array ? frame : Buffer.concat([frame.head, frame.rest], frame.byteLength);
}

const idTag = 0x0a;
const noEntry = new Uint8Array(0);

/** Returns the request id of a peeked call or answer as text. */
export function requestIdText({ bytes, requestId }: PeekedRequest | PeekedResponse): string {
  return textAt(bytes, requestId.textStart, requestId.end);
}

/** Returns the request id as raw bytes, for `withRequestId`. */
export function requestIdBytes({ bytes, requestId }: PeekedRequest | PeekedResponse): Uint8Array {
  // A real copy, which `slice` of a Buffer is not: the id may outlive the frame by far. It is short, so a loop is faster than a view.
  const { textStart, end } = requestId;
  const copy = new Uint8Array(end - textStart);
  for (let at = 0; at < copy.length; at += 1) copy[at] = bytes[textStart + at] ?? 0;
  return copy;
}

/** Heads up to this length share one buffer. */
const scratchBytes = 128;
let scratch: Uint8Array | undefined;
/** Views of `scratch` by length, created once. */
const scratchViews: Uint8Array[] = [];

// protocol.md H1
/**
 * Replaces the request id; all other bytes stay, without a copy. If the id occurs several times, another one is
 * appended, because the last occurrence counts. `entry` is one more field, which goes behind the id.
 */
export function spliceRequestId(
  peeked: PeekedRequest | PeekedResponse,
  id: Uint8Array,
  entry: Uint8Array = noEntry,
): SplicedFrame {
  const { bytes, bodyStart, requestId } = peeked;
  const isRepeated = requestId.count > 1;
  const cutStart = isRepeated ? bytes.length : requestId.count === 1 ? requestId.fieldStart : bodyStart;
  const cutEnd = isRepeated ? bytes.length : requestId.count === 1 ? requestId.end : bodyStart;
  const idLength = id.length === 0 && !isRepeated ? 0 : 1 + varintLength(id.length) + id.length;
  const addedLength = idLength + entry.length;
  const bodyLength = bytes.length - bodyStart - (cutEnd - cutStart) + addedLength;

  const kept = cutStart - bodyStart;
  const head = headOf(1 + varintLength(bodyLength) + kept + addedLength);
  head[0] = peeked.kind === "request" ? 0x0a : 0x12;
  let at = writeVarint(head, 1, bodyLength);
  // Canonical encoders write the id first, so usually nothing precedes it.
  if (kept > 0) head.set(bytes.subarray(bodyStart, cutStart), at);
  at += kept;
  if (idLength > 0) {
    head[at] = idTag;
    at = writeVarint(head, at + 1, id.length);
    head.set(id, at);
    at += id.length;
  }
  if (entry.length > 0) head.set(entry, at);
  return { head, rest: bytes.subarray(cutEnd), byteLength: head.length + bytes.length - cutEnd };
}

/** Replaces the request id and returns the frame in one part. */
export function withRequestId(peeked: PeekedRequest | PeekedResponse, id: Uint8Array): Uint8Array {
  return joinFrame(spliceRequestId(peeked, id));
}

function headOf(length: number): Uint8Array {
  if (length > scratchBytes) return new Uint8Array(length);
  scratch ??= new Uint8Array(scratchBytes);
  scratchViews[length] ??= scratch.subarray(0, length);
  return scratchViews[length];
}

/** Returns the bytes of an ASCII id. */
export function asciiBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** Returns the bytes that a number takes in protobuf. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) length += 1;
  return length;
}

/** Writes a number as protobuf does; returns the position behind it. */
export function writeVarint(target: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) target[at++] = (rest & 0x7f) | 0x80;
  target[at++] = rest;
  return at;
}
