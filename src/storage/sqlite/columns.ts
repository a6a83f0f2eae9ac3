import { createRowReaders } from "../rows.ts";
import type { Row } from "./driver.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A text as it is stored. */
export function toBlob(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Reads a column with bytes. */
export function bytesIn(row: Row, column: string): Uint8Array {
  const value = row[column];
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`The column ${column} has no bytes.`);
}

export function textIn(row: Row, column: string): string {
  return decoder.decode(bytesIn(row, column));
}

export const { nameIn, epochIn, recordIn, listedIn, reminderIn, mailIn, letterIn } = createRowReaders<Row>({
  bytesIn,
  textIn,
});

/** The columns of a record without its data. */
export const recordColumns =
  "type, key, revision, etag, schema_version, content_type, saved_at, generation, era, number";
