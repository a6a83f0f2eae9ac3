import type { AgentName, Epoch, StateRecord, StoredMail, StoredReminder } from "../../core/internal.ts";
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

export function numberIn(row: Row, column: string): number {
  return Number(row[column]);
}

export function nameIn(row: Row, type = "type", key = "key"): AgentName {
  return { type: textIn(row, type), key: textIn(row, key) };
}

export function epochIn(row: Row): Epoch | undefined {
  if (row.generation === null) return undefined;
  return { generation: numberIn(row, "generation"), era: numberIn(row, "era"), number: numberIn(row, "number") };
}

/** The columns of a record without its data. */
export const recordColumns =
  "type, key, revision, etag, schema_version, content_type, saved_at, generation, era, number";

export function recordIn(row: Row): Omit<StateRecord, "data"> {
  return {
    eTag: String(row.etag),
    revision: numberIn(row, "revision"),
    schemaVersion: numberIn(row, "schema_version"),
    contentType: textIn(row, "content_type"),
    savedAtMs: numberIn(row, "saved_at"),
    epoch: epochIn(row),
  };
}

export function reminderIn(row: Row): StoredReminder {
  return {
    agent: nameIn(row),
    name: textIn(row, "name"),
    dueMs: numberIn(row, "due"),
    rule: textIn(row, "rule"),
    message: bytesIn(row, "message"),
    seq: numberIn(row, "seq"),
    attempts: numberIn(row, "attempts"),
  };
}

export function mailIn(row: Row): StoredMail {
  return {
    id: textIn(row, "id"),
    receiver: nameIn(row),
    kind: row.kind === "event" ? "event" : "call",
    frame: bytesIn(row, "frame"),
    place: numberIn(row, "place"),
    sender: nameIn(row, "sender_type", "sender_key"),
    keptAtMs: numberIn(row, "kept_at"),
    attempts: numberIn(row, "attempts"),
    nextMs: numberIn(row, "next_at"),
  };
}
