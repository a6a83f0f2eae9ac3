import type { StreamChunk, StreamCredit } from "../gen/troupe/v1/channel_signal_pb.ts";
import { ByteWriter, fieldBytes, numberFieldBytes, textFieldBytes } from "./byte-writer.ts";
import type { ChunkFrame, CreditFrame } from "./frame.ts";
import { noticeTag } from "./heartbeat.ts";
import { isTextAt, RawReader, textAt } from "./raw-reader.ts";

// protocol.md §11.2
/** Arms of a notice. */
const chunkArm = 12;
const creditArm = 13;
const chunkTag = (chunkArm << 3) | 2;

/** Encodes a chunk field by field: there is one for each token of a model. */
export function encodeChunk({ requestId, offset, typeName, contentType, data }: ChunkFrame): Uint8Array {
  const dataBytes = data.length === 0 ? 0 : fieldBytes(data.length);
  const texts = textFieldBytes(requestId) + textFieldBytes(typeName) + textFieldBytes(contentType);
  const writer = new ByteWriter(texts + numberFieldBytes(offset) + dataBytes);
  writer.text(1, requestId);
  writer.number(2, offset);
  writer.text(3, typeName);
  writer.text(4, contentType);
  writer.bytes(5, data);
  return asNotice(writer.finishedAs(chunkArm));
}

/** Encodes a grant. */
export function encodeCredit({ requestId, bytes }: CreditFrame): Uint8Array {
  const writer = new ByteWriter(textFieldBytes(requestId) + numberFieldBytes(bytes));
  writer.text(1, requestId);
  writer.number(2, bytes);
  return asNotice(writer.finishedAs(creditArm));
}

/** Decodes a chunk in the form that our encoder writes; its data is a view into the bytes. Undefined for all else. */
export function decodeChunkQuickly(bytes: Uint8Array): ChunkFrame | undefined {
  const reader = enterChunk(bytes);
  if (reader === undefined) return undefined;
  let [requestId, typeName, contentType] = ["", "", ""];
  let offset = 0;
  let data = bytes.subarray(0, 0);
  for (let before = 0; !reader.atEnd; ) {
    const tag = reader.number();
    if (tag <= before) return undefined;
    before = tag;
    if (tag === 0x10) {
      offset = reader.number();
      if (offset < 0) return undefined;
      continue;
    }
    const end = reader.length();
    const start = reader.position;
    if (end < 0 || (tag !== 0x2a && !isTextAt(bytes, start, end))) return undefined;
    if (tag === 0x0a) requestId = textAt(bytes, start, end);
    else if (tag === 0x1a) typeName = textAt(bytes, start, end);
    else if (tag === 0x22) contentType = textAt(bytes, start, end);
    else if (tag === 0x2a) data = bytes.subarray(start, end);
    else return undefined;
    reader.position = end;
  }
  return { kind: "chunk", requestId, offset, typeName, contentType, data };
}

/** Returns a reader at the first field of a chunk that is alone in its message. Undefined for all else. */
export function enterChunk(bytes: Uint8Array): RawReader | undefined {
  const reader = new RawReader(bytes, 0, bytes.length);
  for (const tag of [noticeTag, chunkTag])
    if (reader.number() !== tag || reader.length() !== bytes.length) return undefined;
  return reader;
}

export function fromWireChunk({ requestId, offset, dataType, dataContentType, data }: StreamChunk): ChunkFrame {
  const [typeName, contentType] = [dataType, dataContentType];
  return { kind: "chunk", requestId, offset: countOf(offset), typeName, contentType, data };
}

export function toWireChunk({ requestId, offset, typeName, contentType, data }: ChunkFrame): StreamChunk {
  const types = { dataType: typeName, dataContentType: contentType };
  // The generated code wants bytes of a buffer that is not shared.
  return {
    $typeName: "troupe.v1.StreamChunk",
    requestId,
    offset: BigInt(offset),
    ...types,
    data: new Uint8Array(data),
  };
}

export function fromWireCredit({ requestId, bytes }: StreamCredit): CreditFrame {
  return { kind: "credit", requestId, bytes: countOf(bytes) };
}

export function toWireCredit({ requestId, bytes }: CreditFrame): StreamCredit {
  return { $typeName: "troupe.v1.StreamCredit", requestId, bytes: BigInt(bytes) };
}

/** Counts that no stream reaches are all alike. */
function countOf(count: bigint): number {
  return count > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(count);
}

function asNotice(arm: Uint8Array): Uint8Array {
  const head = [(noticeTag & 0x7f) | 0x80, noticeTag >>> 7];
  let rest = arm.length;
  for (; rest > 0x7f; rest >>>= 7) head.push((rest & 0x7f) | 0x80);
  head.push(rest);
  const bytes = new Uint8Array(head.length + arm.length);
  bytes.set(head);
  bytes.set(arm, head.length);
  return bytes;
}
