const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Fields of a record as they were stored. */
export type Fields = Readonly<Record<string, unknown>>;

export function encodeRecord(record: object): Uint8Array {
  return encoder.encode(JSON.stringify(record));
}

/** Reads the fields of a record. Undefined: the value is not the JSON text of an object. */
export function readFields(value: Uint8Array): Fields | undefined {
  try {
    const read: unknown = JSON.parse(decoder.decode(value));
    return typeof read === "object" && read !== null && !Array.isArray(read)
      ? Object.fromEntries(Object.entries(read))
      : undefined;
  } catch {
    return undefined;
  }
}

export function isText(value: unknown): value is string {
  return typeof value === "string";
}

/** Whether it is a whole number from 0 on. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
