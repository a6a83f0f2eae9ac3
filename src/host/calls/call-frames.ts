import { decodeFrame, peekFrame, withoutPath } from "../../protocol/internal.ts";

/** The quick reader does not read the source, which matters only here. */
export function hasSource(bytes: Uint8Array): boolean {
  try {
    const frame = decodeFrame(bytes);
    return frame.kind === "request" && frame.source !== undefined;
  } catch {
    return false;
  }
}

/** Returns a held call as a stock worker gets it. */
export function pathless(frame: Uint8Array): Uint8Array {
  const peeked = peekFrame(frame);
  return peeked.kind === "request" ? withoutPath(peeked).bytes : frame;
}
