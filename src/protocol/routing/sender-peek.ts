import { Buffer } from "node:buffer";
import type { WireAgentId } from "../frames/frame.ts";
import { decodeFrame } from "../frames/frame-codec.ts";
import { nameAt, RawReader, WireType } from "../frames/raw-reader.ts";
import { attribute, unknownSender } from "../wire-names.ts";
import type { PeekedEvent, PeekedRequest } from "./peeked-frame.ts";

/** `sender` is undefined for a message without a sender. */
interface Peeked {
  readonly sender: WireAgentId | undefined;
}

const sourceField = 2;
const attributesField = 5;
const textArm = 3;

/** Returns the agent in whose name a call or an event is sent, as its receiver reads it. Undefined: it names none. */
export function namedSenderOf(message: PeekedRequest | PeekedEvent): WireAgentId | undefined {
  const quick = message.kind === "request" ? sourceOfRequest(message) : senderOfEvent(message);
  return (quick ?? decoded(message)).sender;
}

/** Undefined for a form that no canonical encoder writes: then the generated code, which receivers use too, has to read it. */
function sourceOfRequest({ bytes, bodyStart }: PeekedRequest): Peeked | undefined {
  const reader = new RawReader(bytes, bodyStart, bytes.length);
  let sender: WireAgentId | undefined;
  while (!reader.atEnd) {
    const tag = reader.number();
    if (tag >>> 3 !== sourceField) {
      if (tag < 0 || !reader.skip(tag & 7)) return undefined;
      continue;
    }
    if (sender !== undefined || (tag & 7) !== WireType.bytes) return undefined;
    const pair = textsOf(reader);
    if (pair === undefined) return undefined;
    sender = { type: pair[0], key: pair[1] };
  }
  return { sender };
}

function senderOfEvent({ bytes, bodyStart }: PeekedEvent): Peeked | undefined {
  const reader = new RawReader(bytes, bodyStart, bytes.length);
  let type: string | undefined;
  let key: string | undefined;
  while (!reader.atEnd) {
    const tag = reader.number();
    if (tag >>> 3 !== attributesField) {
      if (tag < 0 || !reader.skip(tag & 7)) return undefined;
      continue;
    }
    const entryEnd = reader.length();
    if (entryEnd < 0) return undefined;
    // The name comes first. That of a sender is short, so that its length is one byte.
    const start = reader.position + 2;
    if (entryEnd < start || bytes[start - 2] !== nameTag) return undefined;
    const length = bytes[start - 1] ?? 0;
    if (length < 0x80 && start + length > entryEnd) return undefined;
    const isType = isNameAt(bytes, start, length, typeName);
    if (isType || isNameAt(bytes, start, length, keyName)) {
      reader.position = start + length;
      const value = attributeTextAt(reader, entryEnd);
      if (value === undefined || (isType ? type : key) !== undefined) return undefined;
      if (isType) type = value;
      else key = value;
    }
    reader.position = entryEnd;
  }
  return { sender: senderOf(type, key) };
}

/** Reads the two texts of an agent id, each at most once. */
function textsOf(reader: RawReader): readonly [string, string] | undefined {
  const end = reader.length();
  if (end < 0) return undefined;
  const texts: [string, string] = ["", ""];
  let seen = 0;
  while (reader.position < end) {
    const tag = reader.number();
    const field = tag >>> 3;
    if ((field !== 1 && field !== 2) || (tag & 7) !== WireType.bytes || (seen & field) !== 0) return undefined;
    seen |= field;
    const textEnd = reader.length();
    if (textEnd < 0 || textEnd > end) return undefined;
    texts[field - 1] = nameAt(reader.bytes, reader.position, textEnd);
    reader.position = textEnd;
  }
  return texts;
}

const nameTag = 0x0a;
const [typeName, keyName] = [Buffer.from(attribute.senderType), Buffer.from(attribute.senderKey)];

/** Whether a name of this length is the given one. Most names differ in their length. */
function isNameAt(bytes: Uint8Array, start: number, length: number, name: Uint8Array): boolean {
  if (length !== name.length) return false;
  for (let at = 0; at < length; at += 1) if (bytes[start + at] !== name[at]) return false;
  return true;
}

/** Reads the value of an entry: a message with one text. */
function attributeTextAt(reader: RawReader, entryEnd: number): string | undefined {
  if (reader.number() !== ((2 << 3) | WireType.bytes) || reader.length() !== entryEnd) return undefined;
  if (reader.number() !== ((textArm << 3) | WireType.bytes) || reader.length() !== entryEnd) return undefined;
  return nameAt(reader.bytes, reader.position, entryEnd);
}

function decoded({ bytes }: PeekedRequest | PeekedEvent): Peeked {
  const frame = decodeFrame(bytes);
  if (frame.kind === "request") return { sender: frame.source };
  if (frame.kind !== "event") return { sender: undefined };
  const { sender } = frame.event;
  return { sender: senderOf(sender?.type, sender?.key) };
}

/** An event names its sender by both attributes. One alone counts as a name, too: some receiver may read it. */
function senderOf(type: string | undefined, key: string | undefined): WireAgentId | undefined {
  if (type === undefined && key === undefined) return undefined;
  if (type === unknownSender && (key === unknownSender || key === undefined)) return undefined;
  return { type: type ?? "", key: key ?? "" };
}
