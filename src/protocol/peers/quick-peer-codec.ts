import { Buffer } from "node:buffer";
import { nameAt, RawReader } from "../frames/raw-reader.ts";
import { readFrameHead } from "../routing/frame-peek.ts";
import type { FrameHead } from "../routing/peeked-frame.ts";
import { type FrameBytes, type SplicedFrame, varintLength, writeVarint } from "../routing/request-id.ts";
import type { PeerFrame } from "./peer-frame.ts";

// The frames that carry messages of workers. They are a new beginning before the message, whose bytes are not copied.

const callTag = 0x0a;
const answerTag = 0x12;
const eventTag = 0x1a;
const slotTag = 0x08;
const targetTag = 0x12;
const typeTag = 0x12;
const frameTag = 0x7a;

/** Encodes a call for the worker in a slot. The frame must be sent or joined before the next one is encoded. */
export function encodePeerCall(slot: number, frame: FrameBytes): SplicedFrame {
  const slotLength = slot === 0 ? 0 : 1 + varintLength(slot);
  const bodyLength = slotLength + fieldHead(frame.byteLength) + frame.byteLength;
  const start = 1 + varintLength(bodyLength) + slotLength + fieldHead(frame.byteLength);
  const { bytes, spliced } = headOf(start, frame);
  bytes[0] = callTag;
  let at = writeVarint(bytes, 1, bodyLength);
  if (slotLength > 0) {
    bytes[at] = slotTag;
    at = writeVarint(bytes, at + 1, slot);
  }
  bytes[at] = frameTag;
  writeVarint(bytes, at + 1, frame.byteLength);
  return spliced;
}

/** Encodes an answer to the host that has asked. The frame must be sent or joined before the next one is encoded. */
export function encodePeerAnswer(frame: FrameBytes): SplicedFrame {
  const { bytes, spliced } = headOf(fieldHead(frame.byteLength), frame);
  bytes[0] = answerTag;
  writeVarint(bytes, 1, frame.byteLength);
  return spliced;
}

/** Encodes an event for the workers that serve these types. */
export function encodePeerEvent(types: readonly string[], frame: Uint8Array): SplicedFrame {
  const names = types.map((type) => Buffer.from(type));
  const targetLength = names.reduce((sum, name) => sum + fieldHead(name.length) + name.length, 0);
  const bodyLength = fieldHead(targetLength) + targetLength + fieldHead(frame.length) + frame.length;
  const head = new Uint8Array(
    1 + varintLength(bodyLength) + fieldHead(targetLength) + targetLength + fieldHead(frame.length),
  );
  head[0] = eventTag;
  let at = writeVarint(head, 1, bodyLength);
  head[at] = targetTag;
  at = writeVarint(head, at + 1, targetLength);
  for (const name of names) {
    head[at] = typeTag;
    at = writeVarint(head, at + 1, name.length);
    head.set(name, at);
    at += name.length;
  }
  head[at] = frameTag;
  writeVarint(head, at + 1, frame.length);
  return { head, rest: frame, byteLength: head.length + frame.length };
}

/** Decodes such a frame. Undefined for another one, and for a form that these functions do not write. */
export function decodePeerFrameQuickly(bytes: Uint8Array): PeerFrame | undefined {
  const reader = new RawReader(bytes, 0, bytes.length);
  const tag = reader.number();
  if ((tag !== callTag && tag !== answerTag && tag !== eventTag) || reader.length() !== bytes.length) return undefined;
  if (tag === answerTag) return { kind: "answer", frame: bytes.subarray(reader.position) };
  return tag === callTag ? readCall(reader) : readEvent(reader);
}

/** Reads kind and request id of the call or answer in a frame of which only the beginning is there. Undefined if the bytes do not tell. */
export function readPeerMessageHead(bytes: Uint8Array): FrameHead | undefined {
  const reader = new RawReader(bytes, 0, bytes.length);
  const tag = reader.number();
  if ((tag !== callTag && tag !== answerTag) || reader.number() < 0) return undefined;
  if (tag === callTag) {
    let field = reader.number();
    if (field === slotTag) field = reader.number() < 0 ? -1 : reader.number();
    if (field !== frameTag || reader.number() < 0) return undefined;
  }
  return readFrameHead(bytes.subarray(reader.position));
}

function readCall(reader: RawReader): PeerFrame | undefined {
  let tag = reader.number();
  let slot = 0;
  if (tag === slotTag) {
    slot = reader.number();
    if (slot < 0) return undefined;
    tag = reader.number();
  }
  const frame = tag === frameTag ? readLast(reader) : undefined;
  return frame && { kind: "call", slot, frame };
}

function readEvent(reader: RawReader): PeerFrame | undefined {
  const types: string[] = [];
  if (reader.number() !== targetTag) return undefined;
  const end = reader.length();
  if (end < 0) return undefined;
  while (reader.position < end) {
    if (reader.number() !== typeTag) return undefined;
    const textEnd = reader.length();
    if (textEnd < 0 || textEnd > end) return undefined;
    types.push(nameAt(reader.bytes, reader.position, textEnd));
    reader.position = textEnd;
  }
  const frame = reader.number() === frameTag ? readLast(reader) : undefined;
  return frame && { kind: "event", types, frame };
}

/** The rest of the bytes, if they are one field. */
function readLast(reader: RawReader): Uint8Array | undefined {
  const end = reader.length();
  return end === reader.end ? reader.bytes.subarray(reader.position) : undefined;
}

/** Tag and length of a field with so many bytes. */
function fieldHead(length: number): number {
  return 1 + varintLength(length);
}

/** A spliced message has a head of up to 128 bytes; what stands before it takes some 20. */
const scratchBytes = 192;
let scratch: Uint8Array | undefined;

/** Makes space for `start` bytes before a message, and puts the head of the message behind them. */
function headOf(start: number, frame: FrameBytes): { readonly bytes: Uint8Array; readonly spliced: SplicedFrame } {
  const whole = frame instanceof Uint8Array;
  const length = start + (whole ? 0 : frame.head.length);
  scratch ??= new Uint8Array(scratchBytes);
  const head = length <= scratchBytes ? scratch.subarray(0, length) : new Uint8Array(length);
  if (!whole) head.set(frame.head, start);
  const rest = whole ? frame : frame.rest;
  return { bytes: head, spliced: { head, rest, byteLength: length + rest.length } };
}
