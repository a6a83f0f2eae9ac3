import { Buffer } from "node:buffer";

/**
 * A frame in two parts: a new beginning, and the rest of the frame it was made from. `head` lies in memory that the next
 * splice uses again: send or join it before.
 */
export interface SplicedFrame {
  readonly head: Uint8Array;
  readonly rest: Uint8Array;
  /** Of both together. */
  readonly byteLength: number;
}

/** The bytes of one frame, in one piece or in two. */
export type FrameBytes = Uint8Array | SplicedFrame;

/** The frame in one piece, in memory of its own if it was in two. */
export function joinFrame(frame: FrameBytes): Uint8Array {
  return frame instanceof Uint8Array ? frame : Buffer.concat([frame.head, frame.rest], frame.byteLength);
}
