import type { ChunkFrame } from "../frames/frame.ts";
import { isTextAt, type RawReader, WireType } from "../frames/raw-reader.ts";
import { encodeChunk, enterChunk } from "../frames/stream-notices.ts";
import type { PeekedChunk } from "./peeked-frame.ts";
import { type SplicedFrame, varintLength, writeVarint } from "./request-id.ts";

const idTag = 0x0a;
const offsetTag = 0x10;
const dataTag = 0x2a;
const textTags: ReadonlySet<number> = new Set([idTag, 0x1a, 0x22]);
/** The two tags before the fields of a chunk: of the notice and of its arm. */
const outerTag = [0xc2, 0x3e] as const;
const armTag = 0x62;

/**
 * Reads the request id and the length of the data of a chunk, and decodes nothing. Undefined for another message, and for a chunk in another form
 * than our encoder writes.
 */
export function peekChunk(bytes: Uint8Array): PeekedChunk | undefined {
  return peekFields(bytes, (reader) => reader.number() >= 0);
}

/** Returns the routing fields of a chunk that was decoded because of its form. */
export function peekDecodedChunk(frame: ChunkFrame): PeekedChunk | undefined {
  // The offset may be as large as only the generated code reads it.
  return peekFields(encodeChunk(frame), (reader) => reader.skip(WireType.varint));
}

function peekFields(bytes: Uint8Array, passOffset: (reader: RawReader) => boolean): PeekedChunk | undefined {
  const reader = enterChunk(bytes);
  if (reader === undefined) return undefined;
  const begin = reader.position;
  let requestId = { count: 0, fieldStart: begin, textStart: begin, end: begin };
  let dataBytes = 0;
  for (let before = 0; !reader.atEnd; ) {
    const tag = reader.number();
    if (tag <= before) return undefined;
    before = tag;
    if (tag === offsetTag) {
      if (!passOffset(reader)) return undefined;
      continue;
    }
    const end = reader.length();
    const start = reader.position;
    if (end < 0 || (tag !== dataTag && !(textTags.has(tag) && isTextAt(bytes, start, end)))) return undefined;
    if (tag === idTag) requestId = { count: 1, fieldStart: begin, textStart: start, end };
    else if (tag === dataTag) dataBytes = end - start;
    reader.position = end;
  }
  return { kind: "chunk", bytes, requestId, dataBytes };
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
