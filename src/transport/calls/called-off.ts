import { RpcError, StatusCode } from "../rpc-status.ts";
import { messageOf } from "../system-error.ts";

/** What waiting for a connection rejects with when its signal has aborted; the signal's reason is told. */
export function calledOff(address: string, signal: AbortSignal | undefined): RpcError {
  const reason = signal?.reason;
  const text = `Waiting for the connection to ${address} was called off: ${messageOf(reason)}`;
  return new RpcError(StatusCode.cancelled, text, { cause: reason });
}
