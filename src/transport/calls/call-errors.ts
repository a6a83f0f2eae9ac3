import type { StreamEnd } from "../link.ts";
import { RpcError, type RpcStatus, StatusCode } from "../rpc-status.ts";
import { messageOf } from "../system-error.ts";

/** What waiting for a connection rejects with when its signal has aborted; the signal's reason is told. */
export function calledOff(address: string, signal: AbortSignal | undefined): RpcError {
  const reason = signal?.reason;
  const text = `Waiting for the connection to ${address} was called off: ${messageOf(reason)}`;
  return new RpcError(StatusCode.cancelled, text, { cause: reason });
}

/** The error a unary caller gets for this end. */
export function errorFromEnd(end: StreamEnd): RpcError {
  switch (end.by) {
    case "status":
      return new RpcError(end.status.code, end.status.details);
    case "cancelled":
      return new RpcError(StatusCode.cancelled, "The call was cancelled.");
    case "peer":
      return new RpcError(StatusCode.cancelled, "The server cancelled the call.");
    case "connection-lost":
      return new RpcError(StatusCode.unavailable, end.reason);
  }
}

/** What is said of a received message above the limit. */
export function oversizeStatus(messageBytes: number, limitBytes: number): RpcStatus {
  const details = `A message of ${messageBytes} bytes is over the receiving limit of ${limitBytes} bytes; send less or raise maxReceiveMessageBytes.`;
  return { code: StatusCode.resourceExhausted, details };
}

/** Throws `RpcError` (resource-exhausted) when a message that is about to be sent is above the limit. */
export function refuseOversize(message: { readonly byteLength: number }, limitBytes: number): void {
  if (message.byteLength <= limitBytes) return;
  throw new RpcError(
    StatusCode.resourceExhausted,
    `A message of ${message.byteLength} bytes is over the sending limit of ${limitBytes} bytes; send less or raise maxSendMessageBytes.`,
  );
}

/** The status a service's failure is answered with: an `RpcError`'s own, anything else is `internal` with its text. */
export function toRpcStatus(error: unknown): RpcStatus {
  if (error instanceof RpcError) return error.status;
  return { code: StatusCode.internal, details: messageOf(error) };
}
