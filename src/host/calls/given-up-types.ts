import type { PeekedRequest } from "../../protocol/internal.ts";
import type { Peer } from "../sessions/peer.ts";
import { sourceOf } from "./stock-chains.ts";

// protocol.md §11.2
/**
 * The workers that stop, and the types that they have given up. Such a worker takes no calls but those of its own agents, whose handlers
 * may still run.
 */
export class GivenUpTypes {
  readonly #leaving = new Map<Peer, ReadonlySet<string>>();

  /** A worker stops, and has given up these types. Returns false if it has said so before, or is gone. */
  add(peer: Peer, types: ReadonlySet<string>): boolean {
    if (!peer.isOpen || this.#leaving.has(peer)) return false;
    this.#leaving.set(peer, types);
    return true;
  }

  /** Whether a worker that stops has given up the type. It may still have calls of it. */
  has(peer: Peer, agentType: string): boolean {
    return this.#leaving.get(peer)?.has(agentType) === true;
  }

  /**
   * Whether a call is for its caller's own worker, which has given up the type. Only agents reach these types: a call without a source
   * goes to the successor.
   */
  isOwnCall(caller: Peer, { targetType = "", bytes }: PeekedRequest): boolean {
    return this.#leaving.size > 0 && this.has(caller, targetType) && sourceOf(bytes) !== undefined;
  }

  /** The channel of a worker has ended. Returns whether the worker had said that it stops. */
  delete(peer: Peer): boolean {
    return this.#leaving.delete(peer);
  }
}
