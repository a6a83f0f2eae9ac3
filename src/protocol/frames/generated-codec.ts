import { create, toBinary } from "@bufbuild/protobuf";
import { type Message, MessageSchema, RpcRequestSchema, RpcResponseSchema } from "../gen/agent_worker_pb.ts";
import { fromWireLegacy, toWireLegacy } from "../registration/legacy.ts";
import { decodeNoticeGenerated, encodeNotice } from "./channel-notice.ts";
import { fromWireCloudEvent, toWireCloudEvent } from "./cloud-event.ts";
import type { Frame, WireAgentId } from "./frame.ts";
import { fromBinary } from "./from-binary.ts";
import { fromWirePayload, toWirePayload } from "./payload.ts";

/** Encodes a frame with the generated code: the slow reference that tests compare the fast encoder with. */
export function encodeFrameGenerated(frame: Frame): Uint8Array {
  switch (frame.kind) {
    case "cancel":
    case "leaving":
    case "stuck":
    case "unstuck":
    case "chunk":
    case "credit":
    case "heartbeat":
    case "leave":
    case "ask-leave":
    case "returned":
    case "left":
    case "stay":
    case "leaving-worker":
    case "drain":
    case "holds":
    case "void":
    case "hosts":
    case "moving":
    case "last":
      return encodeNotice(frame);
    default:
      return toBinary(MessageSchema, create(MessageSchema, { message: toWire(frame) }));
  }
}

/** Decodes a frame with the generated code. Throws what the parser throws. */
export function decodeFrameGenerated(bytes: Uint8Array): Frame {
  const frame = fromWire(fromBinary(MessageSchema, bytes).message);
  return frame.kind === "empty" ? (decodeNoticeGenerated(bytes) ?? frame) : frame;
}

function toWire(frame: Frame): Message["message"] {
  switch (frame.kind) {
    case "request": {
      const value = create(RpcRequestSchema, { requestId: frame.requestId, metadata: { ...frame.metadata } });
      if (frame.source !== undefined) value.source = { $typeName: "agents.AgentId", ...frame.source };
      if (frame.target !== undefined) value.target = { $typeName: "agents.AgentId", ...frame.target };
      if (frame.payload !== undefined) value.payload = { $typeName: "agents.Payload", ...toWirePayload(frame.payload) };
      return { case: "request", value };
    }
    case "response": {
      const { requestId, error } = frame;
      const value = create(RpcResponseSchema, { requestId, error, metadata: { ...frame.metadata } });
      if (frame.payload !== undefined) value.payload = { $typeName: "agents.Payload", ...toWirePayload(frame.payload) };
      return { case: "response", value };
    }
    case "event":
      return { case: "cloudEvent", value: toWireCloudEvent(frame.event) };
    case "register-type":
    case "subscribe":
    case "ack":
      return toWireLegacy(frame);
    // Notices are outside the oneof.
    case "cancel":
    case "leaving":
    case "stuck":
    case "unstuck":
    case "chunk":
    case "credit":
    case "heartbeat":
    case "leave":
    case "ask-leave":
    case "returned":
    case "left":
    case "stay":
    case "leaving-worker":
    case "drain":
    case "holds":
    case "void":
    case "hosts":
    case "moving":
    case "last":
    case "empty":
      return { case: undefined };
  }
}

function fromWire(message: Message["message"]): Frame {
  switch (message.case) {
    case "request": {
      const { requestId, source, target, payload, metadata } = message.value;
      return {
        kind: "request",
        requestId,
        source: fromWireId(source),
        target: fromWireId(target),
        payload: payload === undefined ? undefined : fromWirePayload(payload),
        metadata,
      };
    }
    case "response": {
      const { requestId, payload, error, metadata } = message.value;
      return {
        kind: "response",
        requestId,
        payload: payload === undefined ? undefined : fromWirePayload(payload),
        error,
        metadata,
      };
    }
    case "cloudEvent":
      return { kind: "event", event: fromWireCloudEvent(message.value) };
    case undefined:
      return { kind: "empty" };
    default:
      return fromWireLegacy(message);
  }
}

function fromWireId(id: WireAgentId | undefined): WireAgentId | undefined {
  return id === undefined ? undefined : { type: id.type, key: id.key };
}
