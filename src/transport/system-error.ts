import { RpcError, StatusCode } from "./rpc-status.ts";

/** The errno-like code of an error, looking into what `AggregateError` gathers over a host's several addresses. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ("code" in error && typeof error.code === "string") return error.code;
  if (error instanceof AggregateError) return errorCode(error.errors[0]);
  return undefined;
}

/** One sentence on why a connection to `address` could not be made, and what to do. */
export function describeDialFailure(address: string, error: unknown): string {
  switch (errorCode(error)) {
    case "ECONNREFUSED":
      return `Nothing listens on ${address} (connection refused). Start the host there, or check the address.`;
    case "ENOENT":
      return `There is no socket at ${address}. Start the host there, or check the path.`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `The host name in ${address} can't be resolved. Check the spelling and the network.`;
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `${address} can't be reached. Check the address, the network and firewalls.`;
    case "ERR_HTTP2_ERROR":
    case "EPROTO":
      return `${address} does not speak gRPC (HTTP/2). Check the port, and whether one side uses TLS and the other does not.`;
    case "ECONNRESET":
    case "EPIPE":
      return `${address} closed the connection while it was being set up. Is it a gRPC host, and do both sides agree on TLS?`;
    default:
      return `No connection to ${address}: ${messageOf(error)}`;
  }
}

/** One sentence on why an established connection is gone. */
export function describeLoss(address: string, error: unknown): string {
  switch (errorCode(error)) {
    case "ECONNRESET":
    case "EPIPE":
      return `The connection to ${address} was reset. The other side has ended or crashed; connect again once it is back.`;
    default:
      return `The connection to ${address} broke: ${messageOf(error)}`;
  }
}

/** The typed error for an address that can't be listened on. */
export function listenError(address: string, error: unknown): RpcError {
  const cause = { cause: error };
  switch (errorCode(error)) {
    case "EADDRINUSE":
      return new RpcError(
        StatusCode.unavailable,
        `${address} is already in use. Stop what listens there, or choose another port (port 0 picks a free one).`,
        cause,
      );
    case "EACCES":
      return new RpcError(
        StatusCode.permissionDenied,
        `Listening on ${address} is not permitted. Choose a port above 1023.`,
        cause,
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "ENOENT":
      return new RpcError(
        StatusCode.invalidArgument,
        `${address} is not an address of this machine. Listen on 127.0.0.1, 0.0.0.0 or one of its own.`,
        cause,
      );
    default:
      return new RpcError(StatusCode.unavailable, `Can't listen on ${address}: ${messageOf(error)}`, cause);
  }
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
