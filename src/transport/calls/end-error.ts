import type { StreamEnd } from "../link.ts";
import { RpcError, StatusCode } from "../rpc-status.ts";

/** The error a unary caller gets for this end. */
export function errorFromEnd(end: StreamEnd): RpcError {
  switch (end.by) {
    case "status":
      return new RpcError(end.status.code, end.status.details, { metadata: end.status.metadata });
    case "cancelled":
      return new RpcError(StatusCode.cancelled, "The call was cancelled.");
    case "peer":
      return new RpcError(StatusCode.cancelled, "The server cancelled the call.");
    case "connection-lost":
      return new RpcError(StatusCode.unavailable, end.reason);
  }
}
