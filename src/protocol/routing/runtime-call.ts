import { RawReader, WireType } from "../frames/raw-reader.ts";
import type { PeekedRequest } from "./peeked-frame.ts";

const payloadTag = (5 << 3) | WireType.bytes;
const dataTypeTag = (1 << 3) | WireType.bytes;
/** The message types that a runtime answers in place of its agents begin so. */
const prefix = Uint8Array.from("Troupe", (character) => character.charCodeAt(0));

// protocol.md §11.20, §11.23
/**
 * Whether the runtime of the target may answer a call in place of its agent: the name of its message type begins with `Troupe`. True for a form
 * that can't be read here, and if only one of several names begins so.
 */
export function mayBeForRuntime({ bytes, bodyStart }: PeekedRequest): boolean {
  const reader = new RawReader(bytes, bodyStart, bytes.length);
  while (!reader.atEnd) {
    const tag = reader.number();
    if (tag === payloadTag) {
      if (isNamedSo(reader)) return true;
    } else if (tag < 0 || !reader.skip(tag & 7)) return true;
  }
  return false;
}

/** The reader stands before the length of a payload, and behind the payload afterwards. */
function isNamedSo(reader: RawReader): boolean {
  const end = reader.length();
  if (end < 0) return true;
  while (reader.position < end) {
    const tag = reader.number();
    if (tag !== dataTypeTag) {
      if (tag < 0 || !reader.skip(tag & 7)) return true;
      continue;
    }
    const nameEnd = reader.length();
    if (nameEnd < 0 || beginsSo(reader.bytes, reader.position, nameEnd)) return true;
    reader.position = nameEnd;
  }
  return false;
}

function beginsSo(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < prefix.length) return false;
  for (let index = 0; index < prefix.length; index += 1) if (bytes[start + index] !== prefix[index]) return false;
  return true;
}
