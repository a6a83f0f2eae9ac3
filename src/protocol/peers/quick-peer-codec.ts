import { Buffer } from "node:buffer";
import { nameAt, RawReader } from "../frames/raw-reader.ts";
import { readFrameHead } from "../routing/frame-peek.ts";
import type { FrameHead } from "../routing/peeked-frame.ts";
import { type FrameBytes, type SplicedFrame, varintLength, writeVarint } from "../routing/request-id.ts";
import type { PeerEventTarget, PeerFrame } from "./peer-frame.ts";

// The frames that carry messages of workers. They are a new beginning before the message, whose bytes are not copied.

const callTag = 0x0a;
const answerTag = 0x12;
const eventTag = 0x1a;
const noticeTag = 0x22;
const slotTag = 0x08;
const flagsTag = 0x10;
const principalTag = 0x1a;
const numberTag = 0x08;
const targetTag = 0x12;
const typeTag = 0x12;
const frameTag = 0x7a;

const firstFlag = 1;

/**
 * Most targets and types of an event that a host reads. A cluster has 100,000 agent types at most (`mostTypes`), and each target has one of them
 * at least. The longest frame could name 30 million targets, which would take gigabytes.
 */
const mostEventNames = 200_000;

/** Whether the flags of a call say that it is the first one on its route. */
export function isFirst(flags: number): boolean {
  return (flags & firstFlag) !== 0;
}

/** The facts that a host tells with a call. */
export interface PeerCallMarks {
  /** Whether it is the first call on a route to its agent. Default: false. */
  readonly isFirst?: boolean;
  // protocol.md §11.20
  /** The name of the principal that calls. Default: the caller is anonymous. */
  readonly principal?: string | undefined;
}

/** Encodes a call for the worker in a slot. The frame must be sent or joined before the next one is encoded. */
export function encodePeerCall(
  slot: number,
  frame: FrameBytes,
  { isFirst: first = false, principal }: PeerCallMarks = {},
): SplicedFrame {
  const slotLength = numberLength(slot);
  const flagsLength = first ? 2 : 0;
  const name = principal === undefined ? undefined : Buffer.from(principal);
  const nameLength = name === undefined ? 0 : fieldHead(name.length) + name.length;
  const marksLength = slotLength + flagsLength + nameLength;
  const bodyLength = marksLength + fieldHead(frame.byteLength) + frame.byteLength;
  const start = 1 + varintLength(bodyLength) + marksLength + fieldHead(frame.byteLength);
  const { bytes, spliced } = headOf(start, frame);
  bytes[0] = callTag;
  let at = writeNumber(bytes, writeVarint(bytes, 1, bodyLength), slotTag, slot);
  if (first) at = writeNumber(bytes, at, flagsTag, firstFlag);
  if (name !== undefined) {
    bytes[at] = principalTag;
    at = writeVarint(bytes, at + 1, name.length);
    bytes.set(name, at);
    at += name.length;
  }
  bytes[at] = frameTag;
  writeVarint(bytes, at + 1, frame.byteLength);
  return spliced;
}

/** Encodes an answer to the host that has asked. The frame must be sent or joined before the next one is encoded. */
export function encodePeerAnswer(frame: FrameBytes): SplicedFrame {
  return encodeAs(answerTag, frame);
}

// protocol.md §11.21
/** Encodes a chunk of an answer, or a grant for one. The frame must be sent or joined before the next one is encoded. */
export function encodePeerNotice(frame: FrameBytes): SplicedFrame {
  return encodeAs(noticeTag, frame);
}

function encodeAs(tag: number, frame: FrameBytes): SplicedFrame {
  const { bytes, spliced } = headOf(fieldHead(frame.byteLength), frame);
  bytes[0] = tag;
  writeVarint(bytes, 1, frame.byteLength);
  return spliced;
}

/** Encodes an event for workers of another host. `number`: not 0 for the first message on a route to its agent. */
export function encodePeerEvent(targets: readonly PeerEventTarget[], frame: Uint8Array, number = 0): SplicedFrame {
  const named = targets.map(({ slot, types }) => {
    const names = types.map((type) => Buffer.from(type));
    const length = names.reduce((sum, name) => sum + fieldHead(name.length) + name.length, numberLength(slot));
    return { slot, names, length };
  });
  const targetsLength = named.reduce((sum, { length }) => sum + fieldHead(length) + length, 0);
  const headLength = numberLength(number) + targetsLength + fieldHead(frame.length);
  const bodyLength = headLength + frame.length;
  const head = new Uint8Array(1 + varintLength(bodyLength) + headLength);
  head[0] = eventTag;
  let at = writeNumber(head, writeVarint(head, 1, bodyLength), numberTag, number);
  for (const { slot, names, length } of named) {
    head[at] = targetTag;
    at = writeNumber(head, writeVarint(head, at + 1, length), slotTag, slot);
    for (const name of names) {
      head[at] = typeTag;
      at = writeVarint(head, at + 1, name.length);
      head.set(name, at);
      at += name.length;
    }
  }
  head[at] = frameTag;
  writeVarint(head, at + 1, frame.length);
  return { head, rest: frame, byteLength: head.length + frame.length };
}

/** Decodes such a frame. Undefined for another one, and for a form that these functions do not write. */
export function decodePeerFrameQuickly(bytes: Uint8Array): PeerFrame | undefined {
  const reader = new RawReader(bytes, 0, bytes.length);
  const tag = reader.number();
  if (!quickTags.has(tag) || reader.length() !== bytes.length) return undefined;
  if (tag === answerTag) return { kind: "answer", frame: bytes.subarray(reader.position) };
  if (tag === noticeTag) return { kind: "notice", notice: bytes.subarray(reader.position) };
  return tag === callTag ? readCall(reader) : readEvent(reader);
}

const quickTags: ReadonlySet<number> = new Set([callTag, answerTag, eventTag, noticeTag]);
const messageTags: ReadonlySet<number> = new Set([callTag, answerTag, noticeTag]);

/** Reads kind and request id of the call, answer or chunk in a frame of which only the beginning is there. Undefined if the bytes do not tell. */
export function readPeerMessageHead(bytes: Uint8Array): FrameHead | undefined {
  const reader = new RawReader(bytes, 0, bytes.length);
  const tag = reader.number();
  if (!messageTags.has(tag) || reader.number() < 0) return undefined;
  if (tag === callTag) {
    let field = reader.number();
    while (field === slotTag || field === flagsTag) field = reader.number() < 0 ? -1 : reader.number();
    if (field === principalTag) field = reader.skip(2) ? reader.number() : -1;
    if (field !== frameTag || reader.number() < 0) return undefined;
  }
  return readFrameHead(bytes.subarray(reader.position));
}

function readCall(reader: RawReader): PeerFrame | undefined {
  let tag = reader.number();
  let slot = 0;
  let flags = 0;
  if (tag === slotTag) {
    slot = reader.number();
    tag = slot < 0 ? -1 : reader.number();
  }
  if (tag === flagsTag) {
    flags = reader.number();
    tag = flags < 0 ? -1 : reader.number();
  }
  let principal: string | undefined;
  if (tag === principalTag) {
    const end = reader.length();
    if (end < 0) return undefined;
    principal = nameAt(reader.bytes, reader.position, end);
    reader.position = end;
    tag = reader.number();
  }
  const frame = tag === frameTag ? readLast(reader) : undefined;
  return frame && { kind: "call", slot, isFirst: isFirst(flags), principal, frame };
}

function readEvent(reader: RawReader): PeerFrame | undefined {
  const targets: PeerEventTarget[] = [];
  let tag = reader.number();
  let number = 0;
  if (tag === numberTag) {
    number = reader.number();
    tag = number < 0 ? -1 : reader.number();
  }
  let names = 0;
  for (; tag === targetTag; tag = reader.number()) {
    const end = reader.length();
    const target = end < 0 ? undefined : readTarget(reader, end, mostEventNames - names - 1);
    if (target === undefined) return undefined;
    names += 1 + target.types.length;
    targets.push(target);
  }
  const frame = tag === frameTag ? readLast(reader) : undefined;
  return frame && { kind: "event", number, targets, frame };
}

/** Undefined also for more types than `most`. */
function readTarget(reader: RawReader, end: number, most: number): PeerEventTarget | undefined {
  const types: string[] = [];
  let slot = 0;
  while (reader.position < end) {
    const tag = reader.number();
    if (tag === slotTag && types.length === 0) {
      slot = reader.number();
      if (slot < 0 || reader.position > end) return undefined;
      continue;
    }
    const textEnd = tag === typeTag ? reader.length() : -1;
    if (textEnd < 0 || textEnd > end || types.length >= most) return undefined;
    types.push(nameAt(reader.bytes, reader.position, textEnd));
    reader.position = textEnd;
  }
  return reader.position === end && most >= 0 ? { slot, types } : undefined;
}

/** The rest of the bytes, if they are one field. */
function readLast(reader: RawReader): Uint8Array | undefined {
  const end = reader.length();
  return end === reader.end ? reader.bytes.subarray(reader.position) : undefined;
}

/** Length of a number with a tag of one byte; 0 is not written. */
function numberLength(value: number): number {
  return value === 0 ? 0 : 1 + varintLength(value);
}

function writeNumber(bytes: Uint8Array, at: number, tag: number, value: number): number {
  if (value === 0) return at;
  bytes[at] = tag;
  return writeVarint(bytes, at + 1, value);
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
