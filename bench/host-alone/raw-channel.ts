import type { Socket } from "node:net";

/** A worker's data channel with as little as can be between it and the socket. */
export interface RawChannel {
  /** Bytes before each frame: the last four are its length, those before it are zero. */
  readonly prefixBytes: number;
  /** Writes whole frames, each behind its prefix. */
  write(frames: Buffer): void;
}

export interface RawChannelEvents {
  readonly onFrame: (frame: Buffer) => void;
  /** All frames of one read have been told. */
  readonly onTurnEnd: () => void;
}

export type OpenRawChannel = (socket: Socket, events: RawChannelEvents) => RawChannel;

/** A frame with its prefix, as often as wanted, in one buffer. */
export function prefixed(frame: Uint8Array, prefixBytes: number, copies = 1): Buffer {
  const one = Buffer.alloc(prefixBytes + frame.length);
  one.writeUInt32BE(frame.length, prefixBytes - 4);
  one.set(frame, prefixBytes);
  return Buffer.concat(Array.from({ length: copies }, () => one));
}
