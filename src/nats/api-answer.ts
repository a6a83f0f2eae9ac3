import type { Msg } from "./driver.ts";

/** An answer of JetStream's API that says why it refused. */
export interface ApiError {
  readonly code: number;
  readonly err_code?: number;
  readonly description?: string;
}

/** The answer of JetStream's API. Undefined: there was no answer in time, or none that can be read, or the request was not sent. */
export type ApiAnswer<T> = { readonly value: T } | { readonly error: ApiError } | undefined;

/** The fields of an answer as they came. */
export type Fields = Readonly<Record<string, unknown>>;

/** The stream of a request is not there. */
export const streamNotFound = 10_059;

// A decoder costs more than such an answer takes to decode.
const decoder = new TextDecoder();

/** Reads the fields of a JSON object. Undefined: the value is something else. */
export function readJsonFields(data: Uint8Array): Fields | undefined {
  let read: unknown;
  try {
    read = JSON.parse(decoder.decode(data));
  } catch {
    return undefined;
  }
  return isFields(read) ? read : undefined;
}

/**
 * Reads an answer. Another program than a server may have sent it. Undefined: it is not a JSON object, or it says neither an error nor what
 * `isWhole` looks for.
 */
export function readApiAnswer<T>(message: Msg, isWhole: (fields: Fields) => boolean): ApiAnswer<T> {
  const fields = readJsonFields(message.data);
  if (fields === undefined) return undefined;
  const error = errorIn(fields);
  if (error !== undefined) return { error };
  // `isWhole` has looked at what is used of it.
  return isWhole(fields) ? { value: fields as T } : undefined;
}

/** The error of an answer. Undefined: it has none. */
export function errorIn({ error }: Fields): ApiError | undefined {
  if (error === undefined) return undefined;
  const { code, err_code, description } = isFields(error) ? error : {};
  return {
    code: typeof code === "number" ? code : 0,
    ...(typeof err_code === "number" ? { err_code } : {}),
    ...(typeof description === "string" ? { description } : {}),
  };
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether it is a whole number from 0 on. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Whether it is a text, or not there. */
export function isTextIfAny(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}

/** Whether a stored message is there with its place. */
export function hasMessage({ message }: Fields): boolean {
  return isFields(message) && isCount(message.seq) && isTextIfAny(message.data) && isTextIfAny(message.hdrs);
}

/** Whether the name of a consumer that was made is there. */
export function hasName({ name }: Fields): boolean {
  return typeof name === "string";
}
