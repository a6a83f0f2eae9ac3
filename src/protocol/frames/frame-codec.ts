import { decodeCancelQuickly } from "./channel-notice.ts";
import type { Frame } from "./frame.ts";
import { parsing } from "./from-binary.ts";
import { decodeFrameGenerated, encodeFrameGenerated } from "./generated-codec.ts";
import { decodeHeartbeatQuickly, encodeHeartbeat } from "./heartbeat.ts";
import { decodeQuickly } from "./quick-decoder.ts";
import { encodeQuickly } from "./quick-encoder.ts";
import { decodeChunkQuickly, encodeChunk, encodeCredit } from "./stream-notices.ts";

/** Encodes one message of the data channel. Throws `invalid-message` for text that is not valid Unicode. */
export function encodeFrame(frame: Frame): Uint8Array {
  switch (frame.kind) {
    case "request":
    case "response":
    case "event":
      return encodeQuickly(frame);
    case "chunk":
      return encodeChunk(frame);
    case "credit":
      return encodeCredit(frame);
    case "heartbeat":
      return encodeHeartbeat(frame);
    case "register-type":
    case "subscribe":
    case "ack":
    case "cancel":
    case "leaving":
    case "stuck":
    case "unstuck":
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
      return encodeFrameGenerated(frame);
  }
}

// protocol.md §1.3
/**
 * Decodes one message of the data channel. Payload bytes may be a view into `bytes`. A message without a known arm
 * becomes the frame `empty`. Throws `invalid-message` for bytes that are not a protobuf message.
 */
export function decodeFrame(bytes: Uint8Array): Frame {
  return (
    decodeQuickly(bytes) ??
    decodeChunkQuickly(bytes) ??
    decodeCancelQuickly(bytes) ??
    decodeHeartbeatQuickly(bytes) ??
    parsing("a frame", () => decodeFrameGenerated(bytes))
  );
}
