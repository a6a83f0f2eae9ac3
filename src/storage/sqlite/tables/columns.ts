import { createRowReaders } from "../../rows.ts";
import type { Row } from "../driver.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A text as it is stored. */
export function toBlob(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Names of agent types and content types, which repeat. */
const names = new Map<string, Uint8Array>();
const mostNames = 200;
const longestName = 100;

/** The same for a text that repeats. Do not change the bytes. */
export function toNameBlob(name: string): Uint8Array {
  const known = names.get(name);
  if (known !== undefined) return known;
  const blob = toBlob(name);
  if (name.length > longestName) return blob;
  if (names.size >= mostNames) names.clear();
  names.set(name, blob);
  return blob;
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

export const { nameIn, epochIn, recordIn, listedIn, reminderIn, mailIn, letterIn, runIn } = createRowReaders<Row>({
  bytesIn,
  textIn,
});

/** The columns of a record without its data. */
export const recordColumns =
  "type, key, revision, etag, schema_version, content_type, saved_at, generation, era, number";
