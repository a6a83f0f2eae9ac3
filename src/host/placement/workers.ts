import type { WorkerIdentity } from "../../protocol/internal.ts";
import type { Peer } from "../sessions/peer.ts";

/** Memory of what a worker says of itself, beside the headers that it said it in. */
export function identityCost({ name, version = "", labels }: WorkerIdentity): number {
  let bytes = 2 * (name.length + version.length);
  for (const [label, value] of Object.entries(labels)) bytes += labelBytes + 2 * (label.length + value.length);
  return bytes;
}

const labelBytes = 100;

interface Entry {
  /** Oldest first. */
  readonly peers: Peer[];
}

// protocol.md §11.14
/** The workers that have a channel now, by their worker ids. While a worker changes its connection it has two channels. */
export class Workers {
  readonly #entries = new Map<string, Entry>();

  /** Returns the newest open channel of a worker that does not stop. */
  peerOf(workerId: string): Peer | undefined {
    return this.#entries.get(workerId)?.peers.at(-1);
  }

  opened(peer: Peer): void {
    const entry = this.#entries.get(peer.worker.id) ?? { peers: [] };
    entry.peers.push(peer);
    this.#entries.set(peer.worker.id, entry);
  }

  /** The channel has ended, or takes no more calls. Returns whether it was the last of its worker. */
  ended(peer: Peer): boolean {
    const entry = this.#entries.get(peer.worker.id);
    const at = entry?.peers.indexOf(peer) ?? -1;
    if (entry === undefined || at < 0) return false;
    entry.peers.splice(at, 1);
    if (entry.peers.length > 0) return false;
    this.#entries.delete(peer.worker.id);
    return true;
  }
}
