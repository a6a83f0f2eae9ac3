import { Buffer } from "node:buffer";
import type { PeekedRequest, PeekedResponse } from "./peeked-frame.ts";
import { textAt } from "./raw-reader.ts";

const idTag = 0x0a;

/** The request id of a peeked call or answer, as text. */
export function requestIdText({ bytes, requestId }: PeekedRequest | PeekedResponse): string {
  return textAt(bytes, requestId.textStart, requestId.end);
}

/** The same id as raw bytes, for putting it back later with `withRequestId`. */
export function requestIdBytes({ bytes, requestId }: PeekedRequest | PeekedResponse): Uint8Array {
  // A copy of its own, which `slice` of a Buffer is not: the id may be kept much longer than the frame around it.
  return new Uint8Array(bytes.subarray(requestId.textStart, requestId.end));
}

/**
 * The same message under another request id; everything else keeps its bytes. The id is replaced where it stands; where it
 * stands several times another one is appended, for the last occurrence wins (protocol.md H1).
 */
export function withRequestId(peeked: PeekedRequest | PeekedResponse, id: Uint8Array): Uint8Array {
  const { bytes, bodyStart, requestId } = peeked;
  const isRepeated = requestId.count > 1;
  const cutStart = isRepeated ? bytes.length : requestId.count === 1 ? requestId.fieldStart : bodyStart;
  const cutEnd = isRepeated ? bytes.length : requestId.count === 1 ? requestId.end : bodyStart;
  const idLength = id.length === 0 && !isRepeated ? 0 : 1 + varintLength(id.length) + id.length;
  const bodyLength = bytes.length - bodyStart - (cutEnd - cutStart) + idLength;

  const frame = Buffer.allocUnsafe(1 + varintLength(bodyLength) + bodyLength);
  frame[0] = peeked.kind === "request" ? 0x0a : 0x12;
  let at = writeVarint(frame, 1, bodyLength);
  frame.set(bytes.subarray(bodyStart, cutStart), at);
  at += cutStart - bodyStart;
  if (idLength > 0) {
    frame[at] = idTag;
    at = writeVarint(frame, at + 1, id.length);
    frame.set(id, at);
    at += id.length;
  }
  frame.set(bytes.subarray(cutEnd), at);
  return frame;
}

/** The bytes of an id made of ASCII characters. */
export function asciiBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) length += 1;
  return length;
}

function writeVarint(target: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) target[at++] = (rest & 0x7f) | 0x80;
  target[at++] = rest;
  return at;
}
