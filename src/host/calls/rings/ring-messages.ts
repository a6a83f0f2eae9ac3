import { limits } from "../../limits.ts";

// protocol.md §12.10
/** Methods of `unary` by which the host that searches for rings asks others. */
export const ringMethod = { check: "CheckWaits", end: "EndWait" } as const;

/** A report as the host that searches knows it: the call, a turn for which it waits, and a hash of its path. */
export interface AskedWait {
  readonly id: string;
  readonly token: string;
  readonly pathHash: number;
}

/** Which of these are still true. All hosts are asked for all; each knows its own. */
export interface CheckWaits {
  readonly waits: readonly AskedWait[];
  /** Request ids of calls. */
  readonly calls: readonly string[];
}

/** The answer of a host: its knowledge of these waits and calls. */
export interface CheckedWaits {
  /**
   * For each wait the version of the report. 0: the host has no such report now. -1: it has the report, and knows that the turn has ended. Two
   * answers with one version say that the call has waited all the time between.
   */
  readonly waits: readonly number[];
  /** The calls that are pending, with the id at the host of the caller; empty: the caller is at this host. */
  readonly pending: ReadonlyMap<string, string>;
  /** The calls that are over. */
  readonly over: readonly string[];
}

/** Ends the call of a ring that was found to be true, if its report is the same. */
export interface EndWait {
  readonly id: string;
  readonly version: number;
  readonly ring: string;
}

export function encodeCheck({ waits, calls }: CheckWaits): Uint8Array {
  return encode({ waits: waits.map(({ id, token, pathHash }) => [id, token, pathHash]), calls });
}

/** Undefined for what can't be read. */
export function readCheck(bytes: Uint8Array): CheckWaits | undefined {
  const { waits, calls } = fieldsIn(bytes);
  if (!isListOf(waits, isAskedWait) || !isListOf(calls, isText)) return undefined;
  return { waits: waits.map(([id, token, pathHash]) => ({ id, token, pathHash })), calls };
}

export function encodeChecked({ waits, pending, over }: CheckedWaits): Uint8Array {
  return encode({ waits, pending: [...pending], over });
}

/** Undefined for what can't be read. */
export function readChecked(bytes: Uint8Array): CheckedWaits | undefined {
  const { waits, pending, over } = fieldsIn(bytes);
  if (!isListOf(waits, isNumber) || !isListOf(pending, isPair) || !isListOf(over, isText)) return undefined;
  return { waits, pending: new Map(pending), over };
}

export function encodeEnd({ id, version, ring }: EndWait): Uint8Array {
  return encode({ id, version, ring });
}

/** Undefined for what can't be read. */
export function readEnd(bytes: Uint8Array): EndWait | undefined {
  const { id, version, ring } = fieldsIn(bytes);
  if (!isText(id) || !isNumber(version) || typeof ring !== "string") return undefined;
  return { id, version, ring: ring.slice(0, limits.ringChars) };
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function fieldsIn(bytes: Uint8Array): { readonly [name: string]: unknown } {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    // An array has no such fields, either.
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function isListOf<T>(value: unknown, isItem: (item: unknown) => item is T): value is readonly T[] {
  return Array.isArray(value) && value.length <= 2 * limits.ringCheckIds && value.every(isItem);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length <= limits.nameChars;
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value);
}

function isPair(value: unknown): value is readonly [string, string] {
  return Array.isArray(value) && value.length === 2 && value.every(isText);
}

function isAskedWait(value: unknown): value is readonly [string, string, number] {
  return Array.isArray(value) && isText(value[0]) && isText(value[1]) && isNumber(value[2]);
}
