import { errorText, TroupeError } from "../errors.ts";
import { findLoss, findStop } from "./json-loss.ts";

/**
 * Reads and writes the JSON text of a message. Give your own for numbers beyond 2^53, bytes or other special values.
 */
export interface JsonCodec {
  /** Throws if the text is not JSON. */
  parse(text: string): unknown;
  /** Throws if the value cannot be written without loss. */
  stringify(value: unknown): string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Small texts, the usual case, share one buffer, created on first use: 0.2 µs for 100 characters, instead of 0.8 µs for
 * an array each.
 */
const slabBytes = 8 * 1024;
let slab: Uint8Array | undefined;
let slabUsed = 0;

/** Encodes a text as UTF-8. The bytes may be a part of a buffer that others share: copy what is kept for long. */
export function encodeText(text: string): Uint8Array {
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

/** Encodes a value as UTF-8 JSON. Throws `invalid-message` if the codec refuses it. */
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
 * Decodes UTF-8 JSON; ignores a byte order mark. Throws `invalid-message` for anything else. The message says where the
 * text is wrong and never quotes it; the `cause`, the codec's own error, may.
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
 * JavaScript's JSON, which refuses what it would silently change: bytes, Map, Set, NaN, infinities, functions, symbols,
 * bigint, invalid dates, and `undefined` in a list. Inside a message it also refuses instances of classes without
 * `toJSON`. It leaves out fields that are undefined. It writes dates as ISO text, so the schema must accept that text.
 */
export const nativeJson: JsonCodec = {
  parse: (text) => JSON.parse(text),
  stringify: (value) => {
    const text = textOf(value);
    const loss = findLoss(value);
    if (loss !== undefined || text === undefined) throw noForm(loss ?? typeof value);
    return text;
  },
};

function textOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, undefined);
  } catch (cause) {
    // Deeper than the stack there is no path to name.
    const stop = cause instanceof TypeError ? findStop(value) : undefined;
    throw stop === undefined ? cause : noForm(stop, cause);
  }
}

function noForm(what: string, cause?: unknown): TypeError {
  return new TypeError(`${what} has no JSON form. Declare a \`json\` codec that writes it`, { cause });
}

const position = / in JSON at position (\d+)(?: \(line \d+ column \d+\))?$/;

// protocol.md §5.11
/**
 * Describes why a codec could not read bytes, without quoting them. JavaScript's own error text quotes them, and this
 * text goes to logs and callers.
 */
function jsonFault(thrown: unknown): string {
  if (thrown instanceof TroupeError) return thrown.message;
  if (!(thrown instanceof SyntaxError)) return "its JSON codec refused it";
  const at = position.exec(thrown.message)?.[1];
  if (at !== undefined) return `its text is not JSON from position ${at} on`;
  return thrown.message === "Unexpected end of JSON input" ? "its text ends too early" : "its text is not JSON";
}
