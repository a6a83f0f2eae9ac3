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
  const code = errorCode(error);
  if (code?.startsWith("ERR_SSL_")) {
    return `No TLS with ${address}: ${tlsReason(error)}. Does it use TLS at all, and does it want a client's certificate?`;
  }
  switch (code) {
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
      return describeEarlyEnd(address);
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
      return `The TLS certificate of ${address} is not trusted (${messageOf(error)}). Give the certificate of who issued it as tls.ca.`;
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID":
      return `The TLS certificate of ${address} is not valid now (${messageOf(error)}). Renew it, or check the clocks.`;
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `The TLS certificate of ${address} is for another name. Use a name that it is for, or give that as tls.servername.`;
    default:
      return `No connection to ${address}: ${messageOf(error)}`;
  }
}

/** One sentence on a connection that the other side ended without a word before it stood. */
export function describeEarlyEnd(address: string): string {
  return `${address} closed the connection while it was being set up. Is it a gRPC host, and do both sides agree on TLS?`;
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

/** OpenSSL's reason (`wrong version number`) out of its texts, which hold addresses in memory and file names. */
function tlsReason(error: unknown): string {
  if (error instanceof Error && "reason" in error && typeof error.reason === "string") return error.reason;
  return messageOf(error);
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
