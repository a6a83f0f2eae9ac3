import { decodeCancelQuickly } from "./channel-notice.ts";
import type { Frame } from "./frame.ts";
import { parsing } from "./from-binary.ts";
import { decodeFrameGenerated, encodeFrameGenerated } from "./generated-codec.ts";
import { decodeQuickly } from "./quick-decoder.ts";
import { encodeQuickly } from "./quick-encoder.ts";

/** One message of the data channel as bytes. Throws `invalid-message` for text that is not valid Unicode. */
export function encodeFrame(frame: Frame): Uint8Array {
  switch (frame.kind) {
    case "request":
    case "response":
    case "event":
      return encodeQuickly(frame);
    case "register-type":
    case "subscribe":
    case "ack":
    case "cancel":
    case "leaving":
    case "empty":
      return encodeFrameGenerated(frame);
  }
}

/**
 * Reads one message of the data channel; payload bytes may be a view into `bytes`. Throws `invalid-message` for bytes
 * that are no protobuf message; a message without a known arm is the frame `empty` (protocol.md §1.3).
 */
export function decodeFrame(bytes: Uint8Array): Frame {
  return decodeQuickly(bytes) ?? decodeCancelQuickly(bytes) ?? parsing("a frame", () => decodeFrameGenerated(bytes));
}
