import { create, toBinary } from "@bufbuild/protobuf";
import { ControlSignalSchema, type Heartbeat } from "../gen/troupe/v1/channel_signal_pb.ts";
import type { HeartbeatFrame } from "./frame.ts";
import { fromBinary, parsing } from "./from-binary.ts";
import { RawReader } from "./raw-reader.ts";

// protocol.md §11.2, §11.12
/** Tag of a notice in a message of the data channel: field 1000, length-delimited. */
export const noticeTag = (1000 << 3) | 2;
/** Tag of a heartbeat in a notice: arm 14. */
const armTag = (14 << 3) | 2;
/** Field 1001 of a message of the control channel. */
const controlTag = (1001 << 3) | 2;

const seqTag = 1 << 3;
const isAnswerTag = 2 << 3;
const leaseTag = 3 << 3;

/** The longest heartbeat: three fields of a byte and a number of at most five, inside two lengths. */
const mostBytes = 32;

/** Encodes a heartbeat for the data channel and the side stream. */
export function encodeHeartbeat(frame: HeartbeatFrame): Uint8Array {
  const fields = fieldsOf(frame);
  return Uint8Array.from([...varint(noticeTag), fields.length + 2, armTag, fields.length, ...fields]);
}

/** Encodes a heartbeat for the control channel. */
export function encodeControlHeartbeat(frame: HeartbeatFrame): Uint8Array {
  const fields = fieldsOf(frame);
  return Uint8Array.from([...varint(controlTag), fields.length, ...fields]);
}

/** Encodes a heartbeat for the control channel with the generated code: the reference that tests compare with. */
export function encodeControlHeartbeatGenerated(frame: HeartbeatFrame): Uint8Array {
  return toBinary(ControlSignalSchema, create(ControlSignalSchema, { heartbeat: toWireHeartbeat(frame) }));
}

/** Decodes a heartbeat of the data channel in the form that our encoder writes. Undefined for all else. */
export function decodeHeartbeatQuickly(bytes: Uint8Array): HeartbeatFrame | undefined {
  if (bytes.length > mostBytes) return undefined;
  const reader = new RawReader(bytes, 0, bytes.length);
  for (const tag of [noticeTag, armTag])
    if (reader.number() !== tag || reader.length() !== bytes.length) return undefined;
  return readFields(reader);
}

/** Decodes a message of the control channel that begins with a heartbeat. Undefined for all other messages, also for unreadable ones. */
export function decodeControlHeartbeat(bytes: Uint8Array): HeartbeatFrame | undefined {
  const reader = new RawReader(bytes, 0, bytes.length);
  if (reader.number() !== controlTag) return undefined;
  if (bytes.length <= mostBytes && reader.length() === bytes.length) {
    const frame = readFields(reader);
    if (frame !== undefined) return frame;
  }
  try {
    const { heartbeat } = parsing("a heartbeat", () => fromBinary(ControlSignalSchema, bytes));
    return heartbeat === undefined ? undefined : fromWireHeartbeat(heartbeat);
  } catch {
    return undefined;
  }
}

export function toWireHeartbeat({ seq, isAnswer, leaseMs }: HeartbeatFrame): Heartbeat {
  return { $typeName: "troupe.v1.Heartbeat", seq, isAnswer, leaseMs };
}

export function fromWireHeartbeat({ seq, isAnswer, leaseMs }: Heartbeat): HeartbeatFrame {
  return { kind: "heartbeat", seq, isAnswer, leaseMs };
}

/** Proto3 leaves out what is 0 or false. */
function fieldsOf({ seq, isAnswer, leaseMs }: HeartbeatFrame): readonly number[] {
  const fields = seq === 0 ? [] : [seqTag, ...varint(seq)];
  if (isAnswer) fields.push(isAnswerTag, 1);
  if (leaseMs !== 0) fields.push(leaseTag, ...varint(leaseMs));
  return fields;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}

/** Reads the fields in their order, each once at most, up to the end. Undefined: the generated code decides. */
function readFields(reader: RawReader): HeartbeatFrame | undefined {
  let [seq, isAnswer, leaseMs] = [0, false, 0];
  for (let before = 0; !reader.atEnd; ) {
    const tag = reader.number();
    if (tag <= before) return undefined;
    before = tag;
    const value = reader.number();
    if (value < 0) return undefined;
    if (tag === seqTag) seq = value;
    else if (tag === leaseTag) leaseMs = value;
    else if (tag === isAnswerTag && value <= 1) isAnswer = value === 1;
    else return undefined;
  }
  return { kind: "heartbeat", seq, isAnswer, leaseMs };
}
