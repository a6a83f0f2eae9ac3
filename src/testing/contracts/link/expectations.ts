import { deepEqual, equal, ok } from "node:assert/strict";
import { RpcError, type StatusCode, type StreamEnd } from "../../../transport/internal.ts";

/** Awaits a rejection with an `RpcError` of this code and returns it. */
export async function rejectsWith(code: StatusCode, promise: Promise<unknown>): Promise<RpcError> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  ok("error" in outcome, "it was expected to be rejected");
  return isRpcError(code, outcome.error);
}

/** Checks that a call throws an `RpcError` of this code. */
export function throwsWith(code: StatusCode, call: () => unknown): void {
  try {
    call();
  } catch (error) {
    isRpcError(code, error);
    return;
  }
  ok(false, "it was expected to throw");
}

export function endsWithStatus(end: StreamEnd, code: StatusCode): string {
  ok(end.by === "status", `expected an end by status, not by ${JSON.stringify(end)}`);
  equal(end.status.code, code, end.status.details);
  return end.status.details;
}

/** Compares bytes as numbers, so that views, buffers and arrays compare alike. */
export function sameBytes(actual: Uint8Array | undefined, expected: Uint8Array): void {
  ok(actual !== undefined, "there is no message");
  equal(actual.byteLength, expected.byteLength);
  ok(Buffer.compare(actual, expected) === 0, "the bytes differ");
}

export function sameFrames(actual: readonly Uint8Array[], expected: readonly Uint8Array[]): void {
  deepEqual(
    actual.map((frame) => frame.byteLength),
    expected.map((frame) => frame.byteLength),
  );
  for (const [index, frame] of expected.entries()) sameBytes(actual[index], frame);
}

/** Creates a message of `bytes` bytes, each different from its neighbours. */
export function message(bytes: number, seed = 1): Uint8Array {
  const body = new Uint8Array(bytes);
  for (let index = 0; index < bytes; index += 1) body[index] = (index * 31 + seed * 17) & 0xff;
  return body;
}

function isRpcError(code: StatusCode, error: unknown): RpcError {
  ok(error instanceof RpcError, `expected an RpcError, not ${String(error)}`);
  equal(error.code, code, error.message);
  return error;
}
