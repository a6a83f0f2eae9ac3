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
  isDraining: boolean;
  isRevoked: boolean;
}

// protocol.md §11.14
/** The workers that have a channel now, by their worker ids. While a worker changes its connection it has two channels. */
export class Workers {
  readonly #entries = new Map<string, Entry>();
  readonly #open = new Set<Peer>();
  readonly #revoked = new WeakSet<Peer>();
  readonly #places = new WeakMap<Peer, number>();
  #lastPlace = 0;

  /** Returns the newest open channel of a worker that does not stop. */
  peerOf(workerId: string): Peer | undefined {
    return this.#entries.get(workerId)?.peers.at(-1);
  }

  /** Returns its open channels, the oldest first. Valid until the next change. */
  peersOf(workerId: string): readonly Peer[] {
    return this.#entries.get(workerId)?.peers ?? [];
  }

  /** The place of a channel in the order in which all were opened. 0: it was never opened. */
  placeOf(peer: Peer): number {
    return this.#places.get(peer) ?? 0;
  }

  /** Whether this channel is open, and its worker takes calls on it. */
  has(peer: Peer): boolean {
    return this.#open.has(peer);
  }

  get size(): number {
    return this.#entries.size;
  }

  ids(): Iterable<string> {
    return this.#entries.keys();
  }

  opened(peer: Peer): void {
    const entry = this.#entries.get(peer.worker.id) ?? { peers: [], isDraining: false, isRevoked: false };
    entry.peers.push(peer);
    this.#lastPlace += 1;
    this.#places.set(peer, this.#lastPlace);
    this.#open.add(peer);
    if (entry.isRevoked) this.#revoked.add(peer);
    this.#entries.set(peer.worker.id, entry);
  }

  /** The channel has ended, or takes no more calls. Returns whether it was the last of its worker. */
  ended(peer: Peer): boolean {
    const entry = this.#entries.get(peer.worker.id);
    const at = entry?.peers.indexOf(peer) ?? -1;
    if (entry === undefined || at < 0) return false;
    entry.peers.splice(at, 1);
    this.#open.delete(peer);
    if (entry.peers.length > 0) return false;
    this.#entries.delete(peer.worker.id);
    return true;
  }

  // protocol.md §11.17
  /** The worker gets no new agents from now on, as long as it has a channel. */
  setDraining(workerId: string): void {
    const entry = this.#entries.get(workerId);
    if (entry !== undefined) entry.isDraining = true;
  }

  isDraining(workerId: string): boolean {
    return this.#entries.get(workerId)?.isDraining === true;
  }

  /** The host has revoked all claims of the worker. As long as it has a channel, it commits nothing for agents of shared types. */
  setRevoked(workerId: string): void {
    const entry = this.#entries.get(workerId);
    if (entry !== undefined) entry.isRevoked = true;
    for (const peer of this.peersOf(workerId)) this.#revoked.add(peer);
  }

  isRevoked(peer: Peer): boolean {
    return this.#revoked.has(peer);
  }
}
