import { RpcError, type RpcStatus, StatusCode } from "../rpc-status.ts";
import { messageOf } from "../system-error.ts";

/** The status a service's failure is answered with: an `RpcError`'s own, anything else is `internal` with its text. */
export function toRpcStatus(error: unknown): RpcStatus {
  if (error instanceof RpcError) return error.status;
  return { code: StatusCode.internal, details: messageOf(error) };
}
