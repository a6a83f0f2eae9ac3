import { TroupeError } from "../core/internal.ts";
import type { PeerTransport } from "../host/internal.ts";
import { grpcDialer, grpcListener } from "../transport/internal.ts";

/** Certificates by which the hosts of a cluster know each other: PEM texts. */
export interface PeerTls {
  /** The authority that has signed the certificates of all hosts of the cluster. */
  readonly ca: string | readonly string[];
  /** The certificate of this host, for the name or address at which others dial it. */
  readonly cert: string;
  readonly key: string;
}

const mib = 1024 * 1024;
/** The longest message of a worker, and what stands before it on a link. */
const linkFrameBytes = 64 * mib + 64 * 1024;
/** A link carries the messages of all workers of a host. */
const linkHeldBytes = 256 * mib;

// protocol.md §12.1
/**
 * The network between hosts over gRPC. With `tls` both ends of each link prove who they are, and a host without a certificate of the
 * authority is refused. Throws `invalid-argument` for certificates that can't be used.
 */
export function grpcPeerTransport({ tls }: { readonly tls?: PeerTls | undefined } = {}): PeerTransport {
  const ping = { pingIntervalMs: 2_000, pingTimeoutMs: 4_000 };
  const common = { ...ping, maxReceiveMessageBytes: linkFrameBytes };
  if (tls === undefined) {
    const listener = grpcListener({ ...common, maxHeldBytes: linkHeldBytes });
    return { dialer: grpcDialer(common), listener, isMutual: false };
  }
  const { ca, cert, key } = tls;
  if ([ca, cert, key].some((text) => text === undefined || text.length === 0)) {
    throw new TroupeError(
      "invalid-argument",
      "The option peerTls needs ca, cert and key: hosts prove who they are to each other.",
    );
  }
  const own = { ca: typeof ca === "string" ? ca : [...ca], cert, key };
  return {
    dialer: grpcDialer({ ...common, tls: own }),
    listener: grpcListener({
      ...{ ...common, maxHeldBytes: linkHeldBytes },
      tls: { ...own, requestCert: true, rejectUnauthorized: true },
    }),
    isMutual: true,
  };
}
