import type { ChunkFrame } from "../frames/frame.ts";
import { WireType } from "../frames/raw-reader.ts";
import { encodeChunk, enterChunk } from "../frames/stream-notices.ts";
import type { PeekedChunk } from "./peeked-frame.ts";
import { type SplicedFrame, varintLength, writeVarint } from "./request-id.ts";

const idTag = 0x0a;
const dataField = 5;
/** The two tags before the fields of a chunk: of the notice and of its arm. */
const outerTag = [0xc2, 0x3e] as const;
const armTag = 0x62;

/**
 * Reads the request id and the length of the data of a chunk, and decodes nothing. Undefined for another message, and for a chunk in another form
 * than our encoder writes.
 */
export function peekChunk(bytes: Uint8Array): PeekedChunk | undefined {
  const reader = enterChunk(bytes);
  if (reader === undefined || reader.number() !== idTag) return undefined;
  const end = reader.length();
  if (end < 0) return undefined;
  const requestId = { count: 1, fieldStart: 0, textStart: reader.position, end };
  reader.position = end;
  let dataBytes = 0;
  for (let before: number = idTag; !reader.atEnd; ) {
    const tag = reader.number();
    if (tag <= before) return undefined;
    before = tag;
    const start = reader.position;
    if (!reader.skip(tag & 7)) return undefined;
    if (tag === ((dataField << 3) | WireType.bytes)) dataBytes = lengthAt(bytes, start);
  }
  return { kind: "chunk", bytes, requestId, dataBytes };
}

/** Returns the routing fields of a chunk that was decoded because of its form. */
export function peekDecodedChunk(frame: ChunkFrame): PeekedChunk | undefined {
  return peekChunk(encodeChunk(frame));
}

/** Replaces the request id of a chunk; all other bytes stay, without a copy. */
export function spliceChunk({ bytes, requestId }: PeekedChunk, id: Uint8Array): SplicedFrame {
  const { end } = requestId;
  const fieldsLength = 1 + varintLength(id.length) + id.length + bytes.length - end;
  const armLength = 1 + varintLength(fieldsLength) + fieldsLength;
  const headLength = outerTag.length + varintLength(armLength) + armLength - (bytes.length - end);
  const head = new Uint8Array(headLength);
  head.set(outerTag);
  let at = writeVarint(head, outerTag.length, armLength);
  head[at] = armTag;
  at = writeVarint(head, at + 1, fieldsLength);
  head[at] = idTag;
  at = writeVarint(head, at + 1, id.length);
  head.set(id, at);
  return { head, rest: bytes.subarray(end), byteLength: headLength + bytes.length - end };
}

function lengthAt(bytes: Uint8Array, start: number): number {
  let length = 0;
  for (let at = start, shift = 0; ; at += 1, shift += 7) {
    const byte = bytes[at] ?? 0;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return length;
  }
}
