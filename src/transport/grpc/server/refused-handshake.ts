import { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { RefusedHandshake } from "../../link.ts";
import { errorCode, tlsReason } from "../../system-error.ts";

/**
 * Returns who failed in a TLS handshake, and why. Undefined for a client that hung up before it said anything, or was too slow: probes of
 * load balancers do that all the time.
 */
export function refusedHandshake(error: Error, socket: TLSSocket): RefusedHandshake | undefined {
  const reason = reasonOf(error, socket);
  return reason === undefined ? undefined : { address: addressOf(socket), reason };
}

function reasonOf(error: Error, { authorizationError }: TLSSocket): string | undefined {
  // Node says of a certificate that it refuses only that the connection has ended.
  const why: unknown = authorizationError;
  if (why) return `its certificate is not accepted (${String(why)})`;
  return errorCode(error)?.startsWith("ERR_SSL_") ? tlsReason(error) : undefined;
}

/** The socket below TLS knows its peer when the connection has ended. Node has no public name for it. */
function addressOf(socket: TLSSocket): string {
  const below: unknown = Reflect.get(socket, "_parent");
  return socket.remoteAddress ?? (below instanceof Socket ? below.remoteAddress : undefined) ?? "unknown";
}
