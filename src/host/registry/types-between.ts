import { limits } from "../limits.ts";
import type { Peer } from "../sessions/peer.ts";
import { registrationCost } from "./client-accounts.ts";

interface Kept {
  readonly types: ReadonlySet<string>;
  /** The channel on which the worker is to register them; its account pays. */
  readonly newer: Peer;
  readonly bytes: number;
}

// protocol.md §11.15
/**
 * Exclusive types of workers that change their connections: those that went with an older channel, until the worker has registered them under
 * a newer one. Its agents go on meanwhile.
 */
export class TypesBetween {
  readonly #byWorker = new Map<string, Kept>();

  /** The types of a worker go with a channel while the worker has a newer one. Those of a channel before come along. */
  keep(newer: Peer, types: Iterable<string>): void {
    const workerId = newer.worker.id;
    const kept = new Set(this.#byWorker.get(workerId)?.types);
    for (const type of types) if (kept.size < limits.typesOfChange) kept.add(type);
    this.#drop(workerId);
    let bytes = 0;
    for (const type of kept) bytes += registrationCost.reservedType(type);
    if (bytes === 0 || !newer.account.take(bytes)) return;
    this.#byWorker.set(workerId, { types: kept, newer, bytes });
  }

  has(workerId: string, type: string): boolean {
    return this.#byWorker.get(workerId)?.types.has(type) === true;
  }

  /** A channel has ended. */
  peerEnded(peer: Peer): void {
    if (this.#byWorker.get(peer.worker.id)?.newer === peer) this.#drop(peer.worker.id);
  }

  #drop(workerId: string): void {
    const kept = this.#byWorker.get(workerId);
    this.#byWorker.delete(workerId);
    kept?.newer.account.release(kept.bytes);
  }
}
