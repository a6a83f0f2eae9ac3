import { create, toBinary } from "@bufbuild/protobuf";
import { type ChannelSignal, type Leaving, SignalMessageSchema } from "../gen/troupe/v1/channel_signal_pb.ts";
import type {
  CancelFrame,
  CancelReason,
  ChunkFrame,
  CreditFrame,
  HeartbeatFrame,
  LeaseNotice,
  LeavingFrame,
  LeavingNotice,
  StuckFrame,
  UnstuckFrame,
} from "./frame.ts";
import { fromBinary } from "./from-binary.ts";
import { fromWireHeartbeat, noticeTag, toWireHeartbeat } from "./heartbeat.ts";
import { areShort, fromWireLease, toWireLease } from "./lease-notices.ts";
import { fromWireLeaving, toWireLeaving } from "./leaving-notices.ts";
import { isTextAt, RawReader, textAt } from "./raw-reader.ts";
import { fromWireChunk, fromWireCredit, toWireChunk, toWireCredit } from "./stream-notices.ts";

type NoticeFrame =
  | CancelFrame
  | LeavingFrame
  | StuckFrame
  | UnstuckFrame
  | ChunkFrame
  | CreditFrame
  | HeartbeatFrame
  | LeavingNotice
  | LeaseNotice;

const reasons: readonly CancelReason[] = ["cancelled", "timed-out", "caller-gone", "withdrawn"];

export function encodeNotice(frame: NoticeFrame): Uint8Array {
  const signal = create(SignalMessageSchema, { signal: { signal: toWireNotice(frame) } });
  return toBinary(SignalMessageSchema, signal);
}

/**
 * Decodes a notice with the generated code; undefined if there is no notice of a known kind. Throws what the parser
 * throws.
 */
export function decodeNoticeGenerated(bytes: Uint8Array): NoticeFrame | undefined {
  const { signal } = fromBinary(SignalMessageSchema, bytes).signal ?? {};
  switch (signal?.case) {
    case "cancel":
      return cancelFrame(signal.value.requestId, signal.value.reason);
    case "leaving":
      return leavingFrame(signal.value);
    case "stuck": {
      const { requestId, path, behind } = signal.value;
      return { kind: "stuck", requestId, path, behind };
    }
    case "unstuck":
      return { kind: "unstuck", requestId: signal.value.requestId };
    case "chunk":
      return fromWireChunk(signal.value);
    case "credit":
      return fromWireCredit(signal.value);
    case "heartbeat":
      return fromWireHeartbeat(signal.value);
    default:
      return signal && (fromWireLeaving(signal) ?? fromWireLease(signal));
  }
}

/**
 * Decodes a cancel notice in the form that our encoder writes, because many may arrive together. Undefined for all
 * else.
 */
export function decodeCancelQuickly(bytes: Uint8Array): CancelFrame | undefined {
  const reader = new RawReader(bytes, 0, bytes.length);
  for (const tag of [noticeTag, 0x0a])
    if (reader.number() !== tag || reader.length() !== bytes.length) return undefined;
  const requestId = readText(reader, 0x0a);
  const reason = readText(reader, 0x12);
  return requestId !== undefined && reason !== undefined && reader.atEnd ? cancelFrame(requestId, reason) : undefined;
}

function readText(reader: RawReader, tag: number): string | undefined {
  if (reader.number() !== tag) return undefined;
  const end = reader.length();
  const start = reader.position;
  if (end < 0 || !isTextAt(reader.bytes, start, end)) return undefined;
  reader.position = end;
  return textAt(reader.bytes, start, end);
}

function cancelFrame(requestId: string, reason: string): CancelFrame {
  return { kind: "cancel", requestId, reason: reasons.find((known) => known === reason) ?? "cancelled" };
}

/** A host that names too many others, or malformed ones, leaves all the same. */
function leavingFrame({ graceMs, addresses }: Leaving): LeavingFrame {
  const isNamed = addresses.length > 0 && areShort(addresses);
  return { kind: "leaving", graceMs, ...(isNamed && { addresses }) };
}

function toWireNotice(frame: NoticeFrame): ChannelSignal["signal"] {
  switch (frame.kind) {
    case "cancel": {
      const { requestId, reason } = frame;
      return { case: "cancel", value: { $typeName: "troupe.v1.CancelCall", requestId, reason } };
    }
    case "leaving": {
      const { graceMs, addresses = [] } = frame;
      return { case: "leaving", value: { $typeName: "troupe.v1.Leaving", graceMs, addresses: [...addresses] } };
    }
    case "stuck": {
      const { requestId, path, behind } = frame;
      return { case: "stuck", value: { $typeName: "troupe.v1.StuckCall", requestId, path, behind: [...behind] } };
    }
    case "unstuck":
      return { case: "unstuck", value: { $typeName: "troupe.v1.UnstuckCall", requestId: frame.requestId } };
    case "chunk":
      return { case: "chunk", value: toWireChunk(frame) };
    case "credit":
      return { case: "credit", value: toWireCredit(frame) };
    case "heartbeat":
      return { case: "heartbeat", value: toWireHeartbeat(frame) };
    case "holds":
    case "void":
    case "hosts":
    case "moving":
    case "last":
      return toWireLease(frame);
    default:
      return toWireLeaving(frame);
  }
}
