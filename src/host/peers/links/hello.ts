import { type Capability, type PeerHello, peerLinks } from "../../../protocol/internal.ts";
import { whyNoHostId } from "../told/told-bounds.ts";

// protocol.md §12
/** Returns what a host says first on each link. */
export function helloOf(cluster: string, hostId: string, features: ReadonlySet<Capability>): PeerHello {
  const { version } = peerLinks;
  return { kind: "hello", cluster, hostId, oldest: version, newest: version, features };
}

/**
 * Returns why two hosts can't work together, as the predicate of a sentence about the other one; undefined: they can. `expectedId`: the host
 * that was dialled.
 */
export function whyHelloDiffers(other: PeerHello, own: PeerHello, expectedId?: string): string | undefined {
  if (other.cluster !== own.cluster)
    return `it belongs to the cluster "${shown(other.cluster)}", and this host to "${own.cluster}". Check the cluster names and addresses of both`;
  const flaw = whyNoHostId(other.hostId);
  if (flaw !== undefined) return flaw;
  if (expectedId !== undefined && other.hostId !== expectedId)
    return `it is the host ${shown(other.hostId)}, and ${expectedId} was expected at this address`;
  if (other.hostId === own.hostId) return "it has the id of this host";
  if (other.newest >= own.oldest && other.oldest <= own.newest) return undefined;
  return `it speaks the versions ${other.oldest} to ${other.newest} of the protocol between hosts, and this host ${own.oldest} to ${own.newest}`;
}

/** The longest name of a cluster or host that errors show, in characters. */
const shownChars = 100;

function shown(text: string): string {
  return text.length > shownChars ? `${text.slice(0, shownChars)}…` : text;
}
