import { Buffer } from "node:buffer";
import { toBinary } from "@bufbuild/protobuf";
import { decodeCancelQuickly } from "../frames/channel-notice.ts";
import type { WireMetadata } from "../frames/frame.ts";
import { decodeFrame, encodeFrame } from "../frames/frame-codec.ts";
import { fromBinary } from "../frames/from-binary.ts";
import { decodeHeartbeatQuickly, noticeTag } from "../frames/heartbeat.ts";
import { RawReader, textAt, WireType } from "../frames/raw-reader.ts";
import { MessageSchema } from "../gen/agent_worker_pb.ts";
import { hostKeys, metadataKey, troupeKeys } from "../wire-names.ts";
import { peekChunk, peekDecodedChunk } from "./chunk-peek.ts";
import { peekEvent, peekRequest, peekResponse } from "./message-peek.ts";
import type { FrameHead, PeekedEvent, PeekedFrame, PeekedRequest, PeekedResponse } from "./peeked-frame.ts";

// protocol.md §1.2
/**
 * Reads the routing fields from the raw bytes of a data-channel message and decodes nothing else. The bytes of a peeked call or event
 * are well-formed. A message in a form that no canonical encoder writes is decoded, encoded again and peeked once more.
 */
export function peekFrame(bytes: Uint8Array): PeekedFrame {
  return (
    peekQuick(bytes) ??
    peekChunk(bytes) ??
    decodeCancelQuickly(bytes) ??
    decodeHeartbeatQuickly(bytes) ??
    peekSlow(bytes)
  );
}

// protocol.md §11.3
/** Returns the answer for a caller that has not announced itself: without the keys that only announced peers get. */
export function withoutTroupeKeys(response: PeekedResponse): PeekedResponse {
  if (!response.hasTroupeKeys) return response;
  try {
    const frame = decodeFrame(response.bytes);
    if (frame.kind !== "response") return response;
    const metadata = Object.fromEntries(Object.entries(frame.metadata).filter(([key]) => !troupeKeys.includes(key)));
    const bare = peekFrame(encodeFrame({ ...frame, metadata }));
    return bare.kind === "response" ? bare : response;
  } catch {
    // The caller cannot read such an answer either, so it gets the answer as it came.
    return response;
  }
}

// protocol.md §11.13
/** Returns the call for a target that knows no paths: without the keys `agpath` and `agdepth`, and the value of the path. */
export function withoutPath(request: PeekedRequest): { readonly bare: PeekedRequest; readonly path: string } {
  if (!request.hasPath) return { bare: request, path: "" };
  const { path, depth } = metadataKey;
  return { bare: changed(request, ({ [path]: _path, [depth]: _depth, ...others }) => others), path: request.path };
}

// protocol.md §11.13
/** Returns the event for a target that knows no paths: without the attribute `agdepth`. */
export function withoutDepth(event: PeekedEvent): PeekedEvent {
  return withoutAttribute(event, metadataKey.depth);
}

/** Returns the event without one of its attributes. Decodes only an event that has the name somewhere. */
export function withoutAttribute(event: PeekedEvent, name: string): PeekedEvent {
  const { buffer, byteOffset, byteLength } = event.bytes;
  if (Buffer.from(buffer, byteOffset, byteLength).indexOf(name) < 0) return event;
  try {
    const frame = decodeFrame(event.bytes);
    if (frame.kind !== "event" || !(name in frame.event.attributes)) return event;
    const { [name]: _taken, ...attributes } = frame.event.attributes;
    const bare = peekFrame(encodeFrame({ kind: "event", event: { ...frame.event, attributes } }));
    return bare.kind === "event" ? bare : event;
  } catch {
    // No worker can read such an event.
    return event;
  }
}

// protocol.md §11.13
/** Returns the call with this path; with an empty one, the call without a path. */
export function withPath(request: PeekedRequest, path: string): PeekedRequest {
  return withMetadata(request, metadataKey.path, path === "" ? undefined : path);
}

// protocol.md §11.21
/** Returns the call of a caller that asks for no chunks. */
export function withoutStream(request: PeekedRequest): PeekedRequest {
  return request.streamBytes === undefined ? request : withMetadata(request, metadataKey.stream, undefined);
}

// protocol.md §11.14, §11.16
/** Returns the call without what only hosts say: its caller has written it. */
export function withoutHostKeys(request: PeekedRequest): PeekedRequest {
  return request.hasHostKeys ? changed(request, withoutHostEntries) : request;
}

// protocol.md §11.17
/** Returns the call without the epoch under which a host has sent it to another worker. */
export function withoutEpoch(request: PeekedRequest): PeekedRequest {
  return request.hasHostKeys ? withMetadata(request, metadataKey.epoch, undefined) : request;
}

// protocol.md §11.20
/** Returns the call without the name of a principal. */
export function withoutPrincipal(request: PeekedRequest): PeekedRequest {
  return request.hasHostKeys ? withMetadata(request, metadataKey.principal, undefined) : request;
}

// protocol.md §11.20
/** Returns a call that is kept, with the principal of its sender, and without one that its sender has written. */
export function withKeptPrincipal(request: PeekedRequest, principal: string | undefined): PeekedRequest {
  if (principal === undefined) return withoutPrincipal(request);
  return withMetadata(request, metadataKey.principal, principal);
}

/** Returns the metadata of a call without the entries that only hosts set. */
export function withoutHostEntries(metadata: WireMetadata): WireMetadata {
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => !hostKeys.includes(key)));
}

/** Replaces one entry of the metadata; undefined takes it out. */
function withMetadata(request: PeekedRequest, key: string, value: string | undefined): PeekedRequest {
  return changed(request, ({ [key]: _before, ...others }) =>
    value === undefined ? others : { ...others, [key]: value },
  );
}

function changed(request: PeekedRequest, change: (metadata: WireMetadata) => WireMetadata): PeekedRequest {
  try {
    const frame = decodeFrame(request.bytes);
    if (frame.kind !== "request") return request;
    const peeked = peekFrame(encodeFrame({ ...frame, metadata: change(frame.metadata) }));
    return peeked.kind === "request" ? peeked : request;
  } catch {
    // The target cannot read such a call either, so it gets the call as it came.
    return request;
  }
}

function peekQuick(bytes: Uint8Array): PeekedFrame | undefined {
  const reader = new RawReader(bytes, 0, bytes.length);
  const tag = reader.number();
  if ((tag & 7) !== WireType.bytes || reader.length() !== bytes.length) return undefined;
  switch (tag >>> 3) {
    case 1:
      return peekRequest(bytes, reader.position);
    case 2:
      return peekResponse(bytes, reader.position);
    case 3:
      return peekEvent(bytes, reader.position);
    default:
      return undefined;
  }
}

function peekSlow(bytes: Uint8Array): PeekedFrame {
  try {
    const message = fromBinary(MessageSchema, bytes);
    switch (message.message.case) {
      case "request":
      case "response":
      case "cloudEvent": {
        const canonical = peekQuick(toBinary(MessageSchema, message, { writeUnknownFields: false }));
        return canonical ?? { kind: "bad", reason: "its canonical form can't be read", head: undefined };
      }
      default: {
        const frame = decodeFrame(bytes);
        if (frame.kind === "request" || frame.kind === "response" || frame.kind === "event") break;
        if (frame.kind !== "chunk") return frame;
        return (
          peekDecodedChunk(frame) ?? {
            kind: "bad",
            reason: "the canonical form of a chunk can't be read",
            head: undefined,
          }
        );
      }
    }
    return { kind: "bad", reason: "it reads differently each time", head: undefined };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return { kind: "bad", reason, head: readFrameHead(bytes) };
  }
}

const requestArm = 0x0a;
const responseArm = 0x12;
const chunkArm = 0x62;
const requestIdField = 0x0a;

/**
 * Reads the kind and request id from the beginning of a call, an answer or a chunk, which may be incomplete or broken. With them, the
 * caller can get an error. Returns undefined if the bytes do not tell.
 */
export function readFrameHead(bytes: Uint8Array): FrameHead | undefined {
  const reader = new RawReader(bytes, 0, bytes.length);
  const kind = readKind(reader);
  if (kind === undefined) return undefined;
  while (!reader.atEnd) {
    const tag = reader.tag();
    if (tag === requestIdField) {
      const end = reader.length();
      if (end < 0) return undefined;
      return { kind, requestId: textAt(bytes, reader.position, end) };
    }
    if (tag < 8 || !reader.skip(tag & 7)) return undefined;
  }
  return undefined;
}

/** Reads up to the first field of a call, an answer or a chunk. */
function readKind(reader: RawReader): FrameHead["kind"] | undefined {
  const arm = reader.number();
  if (reader.number() < 0) return undefined;
  if (arm === requestArm) return "request";
  if (arm === responseArm) return "response";
  return arm === noticeTag && reader.number() === chunkArm && reader.number() >= 0 ? "chunk" : undefined;
}
