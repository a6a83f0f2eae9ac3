import { type DescMessage, fromBinary as fromBinaryOf, type MessageShape } from "@bufbuild/protobuf";
import { configureTextEncoding, getTextEncoding } from "@bufbuild/protobuf/wire";
import { errorText, TroupeError } from "../../core/internal.ts";

/** Runs a parse of bytes from the wire; whatever it throws becomes `invalid-message` naming what was being read. */
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
 * The generated code's reading of a message that leaves each text as it was written: by itself it drops a byte order mark at
 * the beginning, which no other peer does, nor our quick readers. Throws whatever the parser throws.
 */
export function fromBinary<Desc extends DescMessage>(schema: Desc, bytes: Uint8Array): MessageShape<Desc> {
  // The library takes its decoder from one place for the whole process: it is lent ours for this one, synchronous, read.
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
