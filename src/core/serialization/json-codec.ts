import { errorText, TroupeError } from "../errors.ts";
import { findLoss } from "./json-loss.ts";

/** How a message's JSON text is read and written; give your own for numbers beyond 2^53, bytes or other special values. */
export interface JsonCodec {
  /** Throws when the text is not JSON. */
  parse(text: string): unknown;
  /** Throws when the value can't be written without loss. */
  stringify(value: unknown): string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Small texts, the usual case, are written one behind the other into a slab, made on first use: an array of its own for each
 * takes 0.8 µs (0.2 so, for 100 characters).
 */
const slabBytes = 8 * 1024;
let slab: Uint8Array | undefined;
let slabUsed = 0;

function encodeText(text: string): Uint8Array {
  const mostBytes = 3 * text.length;
  if (mostBytes > slabBytes / 2) return encoder.encode(text);
  if (slab === undefined || slabUsed + mostBytes > slabBytes) {
    slab = new Uint8Array(slabBytes);
    slabUsed = 0;
  }
  const start = slabUsed;
  slabUsed += encoder.encodeInto(text, slab.subarray(start)).written;
  return slab.subarray(start, slabUsed);
}

/** The UTF-8 bytes of a value's JSON text; `invalid-message` when the codec can't write it. */
export function encodeJson(codec: JsonCodec, typeName: string, value: unknown): Uint8Array {
  try {
    return encodeText(codec.stringify(value));
  } catch (thrown) {
    throw new TroupeError("invalid-message", `${typeName} can't be written as JSON: ${errorText(thrown)}`, {
      cause: thrown,
    });
  }
}

/**
 * The value of UTF-8 JSON bytes (a byte order mark is passed over); `invalid-message` when they are none. Its text says
 * where they go wrong and never quotes them; its `cause`, the codec's own error, may.
 */
export function decodeJson(codec: JsonCodec, typeName: string, bytes: Uint8Array): unknown {
  const text = decodeText(typeName, bytes);
  try {
    return codec.parse(text);
  } catch (cause) {
    throw new TroupeError("invalid-message", `${typeName} can't be read as JSON: ${jsonFault(cause)}`, { cause });
  }
}

function decodeText(typeName: string, bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new TroupeError("invalid-message", `${typeName} can't be read as JSON: its bytes are not UTF-8`, { cause });
  }
}

/**
 * The language's own JSON, refusing what it would lose silently: bytes, Map, Set, NaN, infinities, functions, symbols (and
 * bigint, which it refuses by itself), invalid dates, `undefined` in a list, and within a message instances of classes without
 * `toJSON`. Fields that are undefined are left out. Dates are written as ISO text, so the schema has to take that text back.
 */
export const nativeJson: JsonCodec = {
  parse: (text) => JSON.parse(text),
  stringify: (value) => {
    const text = JSON.stringify(value, undefined);
    const loss = findLoss(value);
    if (loss !== undefined || text === undefined) {
      throw new TypeError(
        `${loss ?? typeof value} has no JSON form. Give the message type a \`json\` codec that writes it`,
      );
    }
    return text;
  },
};

const position = / in JSON at position (\d+)(?: \(line \d+ column \d+\))?$/;

/**
 * What is wrong with bytes that a codec could not read, without a word of what they hold: the language's own text quotes
 * them, and the fault is written to logs and sent to callers (protocol.md §5.11).
 */
export function jsonFault(thrown: unknown): string {
  if (thrown instanceof TroupeError) return thrown.message;
  if (!(thrown instanceof SyntaxError)) return "its JSON codec refused it";
  const at = position.exec(thrown.message)?.[1];
  if (at !== undefined) return `its text is no JSON from position ${at} on`;
  return thrown.message === "Unexpected end of JSON input" ? "its text ends too early" : "its text is no JSON";
}
