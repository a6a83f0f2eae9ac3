import { TimedOutError } from "../../core/internal.ts";
import type { StreamEnd } from "../link.ts";
import { RpcError, type RpcStatus, StatusCode } from "../rpc-status.ts";
import { messageOf } from "../system-error.ts";

/**
 * Creates the error for a wait for a connection that the caller's signal ended. It holds the signal's reason. `standstill` says how
 * far the connection had come; it stands in the text when the time is up.
 */
export function waitCancelled(address: string, signal: AbortSignal | undefined, standstill?: string): RpcError {
  const reason = signal?.reason;
  const text =
    standstill !== undefined && reason instanceof TimedOutError
      ? `${standstill} ${messageOf(reason)}`
      : `Waiting for the connection to ${address} was cancelled: ${messageOf(reason)}`;
  return new RpcError(StatusCode.cancelled, text, { cause: reason });
}

/** Creates the error that a unary caller gets for the end of its stream. */
export function errorFromEnd(end: StreamEnd): RpcError {
  switch (end.by) {
    case "status":
      return new RpcError(end.status.code, end.status.details, { origin: end.origin, metadata: end.status.metadata });
    case "cancelled":
      return new RpcError(StatusCode.cancelled, "The call was cancelled.");
    case "peer":
      return new RpcError(StatusCode.cancelled, "The server cancelled the call.", { origin: "proxy" });
    case "connection-lost":
      return new RpcError(StatusCode.unavailable, end.reason);
  }
}

/** Status for a received message above the limit. */
export function oversizeStatus(messageBytes: number, limitBytes: number): RpcStatus {
  const details = `A message of ${messageBytes} bytes is over the receiving limit of ${limitBytes} bytes; send less or raise maxReceiveMessageBytes.`;
  return { code: StatusCode.resourceExhausted, details };
}

/** Throws `RpcError` (resource-exhausted) for a message above the sending limit. */
export function refuseOversize(message: { readonly byteLength: number }, limitBytes: number): void {
  if (message.byteLength <= limitBytes) return;
  throw new RpcError(
    StatusCode.resourceExhausted,
    `A message of ${message.byteLength} bytes is over the sending limit of ${limitBytes} bytes; send less or raise maxSendMessageBytes.`,
  );
}

/**
 * Converts a service's failure to a status: an `RpcError` keeps its own, any other error becomes `internal` with its
 * message.
 */
export function toRpcStatus(error: unknown): RpcStatus {
  if (error instanceof RpcError) return error.status;
  return { code: StatusCode.internal, details: messageOf(error) };
}
