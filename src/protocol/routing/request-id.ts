import { Buffer } from "node:buffer";
import { textAt } from "../frames/raw-reader.ts";
import type { PeekedRequest, PeekedResponse } from "./peeked-frame.ts";

/**
 * A frame in two parts: a new beginning, and the rest of the frame it was made from. `head` lies in memory that the next
 * splice uses again: send or join it before.
 */
export interface SplicedFrame {
  readonly head: Uint8Array;
  readonly rest: Uint8Array;
  /** Of both together. */
  readonly byteLength: number;
}

/** The bytes of one frame, in one piece or in two. */
export type FrameBytes = Uint8Array | SplicedFrame;

/** The frame in one piece, in memory of its own if it was in two. */
export function joinFrame(frame: FrameBytes): Uint8Array {
  return frame instanceof Uint8Array ? frame : Buffer.concat([frame.head, frame.rest], frame.byteLength);
}

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

/** Heads up to this length are written into memory that is used again and again. */
const scratchBytes = 128;
let scratch: Uint8Array | undefined;
/** Views of the scratch by their length, made once each. */
const scratchViews: Uint8Array[] = [];

/**
 * The same message under another request id; everything else keeps its bytes, and stays where it is. The id is replaced
 * where it stands; where it stands several times another one is appended, for the last occurrence wins (protocol.md H1).
 */
export function spliceRequestId(peeked: PeekedRequest | PeekedResponse, id: Uint8Array): SplicedFrame {
  const { bytes, bodyStart, requestId } = peeked;
  const isRepeated = requestId.count > 1;
  const cutStart = isRepeated ? bytes.length : requestId.count === 1 ? requestId.fieldStart : bodyStart;
  const cutEnd = isRepeated ? bytes.length : requestId.count === 1 ? requestId.end : bodyStart;
  const idLength = id.length === 0 && !isRepeated ? 0 : 1 + varintLength(id.length) + id.length;
  const bodyLength = bytes.length - bodyStart - (cutEnd - cutStart) + idLength;

  const kept = cutStart - bodyStart;
  const head = headOf(1 + varintLength(bodyLength) + kept + idLength);
  head[0] = peeked.kind === "request" ? 0x0a : 0x12;
  let at = writeVarint(head, 1, bodyLength);
  // Canonical encoders write the id first: then nothing is before it.
  if (kept > 0) head.set(bytes.subarray(bodyStart, cutStart), at);
  at += kept;
  if (idLength > 0) {
    head[at] = idTag;
    at = writeVarint(head, at + 1, id.length);
    head.set(id, at);
  }
  return { head, rest: bytes.subarray(cutEnd), byteLength: head.length + bytes.length - cutEnd };
}

/** The same in one piece. */
export function withRequestId(peeked: PeekedRequest | PeekedResponse, id: Uint8Array): Uint8Array {
  return joinFrame(spliceRequestId(peeked, id));
}

function headOf(length: number): Uint8Array {
  if (length > scratchBytes) return new Uint8Array(length);
  scratch ??= new Uint8Array(scratchBytes);
  scratchViews[length] ??= scratch.subarray(0, length);
  return scratchViews[length];
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
