import { RawReader, textAt } from "../frames/raw-reader.ts";
import type { PeekedEvent, PeekedRequest } from "./peeked-frame.ts";

/** W3C trace context of a message whose sender records its trace. */
export interface PeekedTrace {
  readonly traceparent: string;
  readonly tracestate?: string;
}

const requestMetadata = 6;
const eventAttributes = 5;
const keyTag = 0x0a;
const valueTag = 0x12;
/** The tag of the text among the kinds of an attribute's value. */
const textTag = 0x1a;
const parentKey = "traceparent";
const stateKey = "tracestate";
/** `00-<32>-<16>-<2>`; the last digit holds the flag *sampled*. */
const parentLength = 55;
/** The standard asks for up to 512 of `tracestate`. */
const longestState = 512;

// protocol.md §5.10
/**
 * Reads the trace context of a call or an event. Undefined: it has none, or its sender does not record the trace. Most messages of a sampled system end
 * after a few comparisons of bytes.
 */
export function sampledTraceOf({ kind, bytes, bodyStart }: PeekedRequest | PeekedEvent): PeekedTrace | undefined {
  const isEvent = kind === "event";
  const wanted = ((isEvent ? eventAttributes : requestMetadata) << 3) | 2;
  const reader = new RawReader(bytes, bodyStart, bytes.length);
  let [traceparent, tracestate] = ["", ""];
  while (!reader.atEnd) {
    const tag = reader.number();
    if (tag < 0) return undefined;
    if (tag !== wanted) {
      if (!reader.skip(tag & 7)) return undefined;
      continue;
    }
    const end = reader.length();
    if (end < 0) return undefined;
    const start = reader.position;
    reader.position = end;
    // The keys differ in their length, and begin with `trace`.
    if (bytes[start] !== keyTag || bytes[start + 2] !== 0x74 || bytes[start + 3] !== 0x72) continue;
    if (bytes[start + 1] === parentKey.length) {
      // Whatever its key is, it makes no trace that is recorded.
      if (!isSampled(bytes[end - 1] ?? 0)) continue;
      const value = valueAt(bytes, start, end, parentKey, isEvent);
      if (value < 0) continue;
      if (end - value !== parentLength) return undefined;
      traceparent = textAt(bytes, value, end);
    } else if (bytes[start + 1] === stateKey.length) {
      const value = valueAt(bytes, start, end, stateKey, isEvent);
      if (value >= 0 && end - value <= longestState) tracestate = textAt(bytes, value, end);
    }
  }
  if (traceparent === "") return undefined;
  return tracestate === "" ? { traceparent } : { traceparent, tracestate };
}

/** Returns where the text of an entry with this key begins; it reaches to the end. -1: it has another key or form. */
function valueAt(bytes: Uint8Array, start: number, end: number, key: string, isNested: boolean): number {
  const keyEnd = start + 2 + key.length;
  if (bytes[keyEnd] !== valueTag || textAt(bytes, start + 2, keyEnd) !== key) return -1;
  const reader = new RawReader(bytes, keyEnd + 1, end);
  if (reader.length() !== end) return -1;
  if (!isNested) return reader.position;
  return reader.number() === textTag && reader.length() === end ? reader.position : -1;
}

/** Whether a hexadecimal digit is odd. */
function isSampled(digit: number): boolean {
  return digit <= 0x39 ? (digit & 1) === 1 : (digit & 1) === 0;
}
