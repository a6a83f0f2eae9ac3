import { loggableUpTo } from "../core/internal.ts";
import { RpcError, StatusCode } from "./rpc-status.ts";

/**
 * Returns the system code of an error (`ECONNREFUSED`). Of an `AggregateError`, which covers several addresses of a
 * host, it takes the first.
 */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ("code" in error && typeof error.code === "string") return error.code;
  if (error instanceof AggregateError) return errorCode(error.errors[0]);
  return undefined;
}

/** Explains in one sentence why a connection to `address` failed, and what to do. */
export function describeDialFailure(address: string, error: unknown): string {
  const code = errorCode(error);
  if (code?.startsWith("ERR_SSL_")) {
    return `The TLS handshake with ${address} failed: ${tlsReason(error)}. Check whether it uses TLS and whether it wants a client certificate.`;
  }
  switch (code) {
    case "ECONNREFUSED":
      return `Nothing listens on ${address} (connection refused). Start the host there, or check the address.`;
    case "ENOENT":
      return `There is no socket at ${address}. Start the host there, or check the path.`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `The host name in ${address} cannot be resolved. Check the spelling and the network.`;
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `${address} cannot be reached. Check the address, the network and firewalls.`;
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
      return `The TLS certificate of ${address} is not trusted (${messageOf(error)}). Pass the issuer's certificate as tls.ca.`;
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID":
      return `The TLS certificate of ${address} is not valid now (${messageOf(error)}). Renew it, or check the clocks.`;
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `The TLS certificate of ${address} is for another name${namesOfCertificate(error)}. Connect by a name that it is for, or pass that name as tls.servername.`;
    default:
      return `No connection to ${address}: ${messageOf(error)}`;
  }
}

/** The names of the certificate that Node puts beside the error of a wrong name. A certificate may have thousands. */
function namesOfCertificate(error: unknown): string {
  const cert = error instanceof Error && "cert" in error ? error.cert : undefined;
  const names = typeof cert === "object" && cert !== null && "subjectaltname" in cert ? cert.subjectaltname : undefined;
  return typeof names === "string" && names !== "" ? `, and has ${loggableUpTo(200, names)}` : "";
}

/** Explains that the peer closed the connection before it was established. */
export function describeEarlyEnd(address: string): string {
  return `${address} closed the connection while it was being set up. Check that it is a gRPC host, and that both sides agree on TLS.`;
}

/** Explains in one sentence why an established connection was lost. */
export function describeLoss(address: string, error: unknown): string {
  switch (errorCode(error)) {
    case "ECONNRESET":
    case "EPIPE":
      return `The connection to ${address} was reset. The other side has ended or crashed; connect again once it is back.`;
    default:
      return `The connection to ${address} broke: ${messageOf(error)}`;
  }
}

/** Creates the error for an address that cannot be listened on. */
export function listenError(address: string, error: unknown): RpcError {
  const cause = { cause: error };
  switch (errorCode(error)) {
    case "EADDRINUSE":
      return new RpcError(
        StatusCode.unavailable,
        `${address} is already in use. Stop the program that listens there, or choose another port (port 0 picks a free one).`,
        cause,
      );
    case "EACCES":
    case "EPERM": {
      const isSocket = address.startsWith("unix:");
      const hint = isSocket
        ? "Choose a directory that exists and that this user may write to."
        : "Choose a port above 1023.";
      return new RpcError(StatusCode.permissionDenied, `Listening on ${address} is not permitted. ${hint}`, cause);
    }
    case "ENOENT":
    case "ENOTDIR":
      return new RpcError(
        StatusCode.invalidArgument,
        `There is no directory for ${address}. Make it, or choose another path.`,
        cause,
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new RpcError(
        StatusCode.invalidArgument,
        `${address} is not an address of this machine. Listen on 127.0.0.1, 0.0.0.0 or one of its own.`,
        cause,
      );
    default:
      return new RpcError(StatusCode.unavailable, `Cannot listen on ${address}: ${messageOf(error)}`, cause);
  }
}

/**
 * Takes OpenSSL's reason (`wrong version number`) from an error whose message holds memory addresses and file names.
 */
export function tlsReason(error: unknown): string {
  if (error instanceof Error && "reason" in error && typeof error.reason === "string") return error.reason;
  return messageOf(error);
}

/** Returns the message of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
