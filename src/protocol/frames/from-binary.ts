import { type DescMessage, fromBinary as fromBinaryOf, type MessageShape } from "@bufbuild/protobuf";
import { configureTextEncoding, getTextEncoding } from "@bufbuild/protobuf/wire";
import { errorText, TroupeError } from "../../core/internal.ts";
import { assertFewFields } from "./field-limit.ts";

/** Runs a parser over bytes from the wire. Any error becomes `invalid-message` and names `what` was read. */
export function parsing<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new TroupeError("invalid-message", `Can't read ${what}: ${errorText(cause)}.`, { cause });
  }
}

const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/**
 * Decodes a message with the generated code and keeps texts as written. By itself, that code drops a byte order mark,
 * which no other peer and none of our fast readers do. Throws what the parser throws, and `Error` for more fields than `MAX_FIELDS`.
 */
export function fromBinary<Desc extends DescMessage>(schema: Desc, bytes: Uint8Array): MessageShape<Desc> {
  assertFewFields(schema, bytes);
  return fromLongBinary(schema, bytes);
}

/** As `fromBinary`, for a message that may have any number of fields: a host's list. */
export function fromLongBinary<Desc extends DescMessage>(schema: Desc, bytes: Uint8Array): MessageShape<Desc> {
  // The library has one decoder for the whole process. This synchronous call replaces it and restores it.
  const usual = getTextEncoding();
  configureTextEncoding({
    ...usual,
    decodeUtf8: (text, isStrict) => (isStrict ? strict : lenient).decode(text),
  });
  try {
    return fromBinaryOf(schema, bytes);
  } finally {
    configureTextEncoding(usual);
  }
}
