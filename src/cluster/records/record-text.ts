import { coordinationLimits } from "../coordination-store.ts";

const encoder = new TextEncoder();
/** Other bytes would be longer when they are written again. */
const decoder = new TextDecoder("utf-8", { fatal: true });

/** The longest record that is read, in bytes. The rest of a value has room for what another host changes in it. */
const mostBytes = coordinationLimits.maxValueBytes - 1_024;

/** Fields of a record as they were stored. */
export type Fields = Readonly<Record<string, unknown>>;

export function encodeRecord(record: object): Uint8Array {
  return encoder.encode(JSON.stringify(record));
}

/**
 * Encodes the record of another host again. Fields that this version does not know are kept if there is space for them: numbers of theirs may be
 * written with more digits. `known`: the names of the others.
 */
export function encodeAgain<T extends object>(record: T, known: readonly (keyof T)[]): Uint8Array {
  const whole = encodeRecord(record);
  if (whole.byteLength <= coordinationLimits.maxValueBytes) return whole;
  return encodeRecord(Object.fromEntries(known.map((name) => [name, record[name]])));
}

/** Reads the fields of a record. Undefined: the value is not the JSON text of an object, or is too long. */
export function readFields(value: Uint8Array): Fields | undefined {
  if (value.byteLength > mostBytes) return undefined;
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

/** Whether it is an era: a number of 32 bits, and one that may rise. */
export function isEra(value: unknown): value is number {
  return isCount(value) && value < 0xffff_ffff;
}

/** Whether it is a whole number from 0 on. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
