import { Buffer } from "node:buffer";
import { metadataKey } from "../wire-names.ts";
import { varintLength, writeVarint } from "./request-id.ts";

const metadataTag = 0x32;
const keyTag = 0x0a;
const valueTag = 0x12;
const key = Buffer.from(metadataKey.principal, "utf8");

// protocol.md §11.20
/** Returns the metadata entry `agprincipal` of a call, as a field of the request. */
export function principalEntry(principal: string): Uint8Array {
  const value = Buffer.from(principal, "utf8");
  const bodyLength = fieldLength(key.length) + fieldLength(value.length);
  const bytes = new Uint8Array(1 + varintLength(bodyLength) + bodyLength);
  bytes[0] = metadataTag;
  const keyAt = writeVarint(bytes, 1, bodyLength);
  writeField(bytes, writeField(bytes, keyAt, keyTag, key), valueTag, value);
  return bytes;
}

function fieldLength(valueLength: number): number {
  return 1 + varintLength(valueLength) + valueLength;
}

/** Returns the position behind the field. */
function writeField(bytes: Uint8Array, at: number, tag: number, value: Uint8Array): number {
  bytes[at] = tag;
  const start = writeVarint(bytes, at + 1, value.length);
  bytes.set(value, start);
  return start + value.length;
}
