import { RawReader, textAt } from "../frames/raw-reader.ts";

/** Which call a message belongs to, as far as its beginning tells. */
export interface FrameHead {
  readonly kind: "request" | "response";
  readonly requestId: string;
}

const requestArm = 0x0a;
const responseArm = 0x12;
const requestIdField = 0x0a;

/**
 * Reads the kind and request id off the beginning of a call or answer that is not there as a whole, or is broken further
 * on, so that whoever waits for it can be told. Undefined: the bytes don't tell.
 */
export function readFrameHead(bytes: Uint8Array): FrameHead | undefined {
  const reader = new RawReader(bytes, 0, bytes.length);
  const arm = reader.number();
  if ((arm !== requestArm && arm !== responseArm) || reader.number() < 0) return undefined;
  while (!reader.atEnd) {
    const tag = reader.number();
    if (tag === requestIdField) {
      const end = reader.length();
      if (end < 0) return undefined;
      return { kind: arm === requestArm ? "request" : "response", requestId: textAt(bytes, reader.position, end) };
    }
    if (tag < 8 || !reader.skip(tag & 7)) return undefined;
  }
  return undefined;
}
