import type { PeekedRequest } from "../../protocol/internal.ts";
import type { Peer } from "../sessions/peer.ts";
import { sourceOf } from "./stock-chains.ts";

/** The types that a worker has given up. */
export interface GivenUp {
  readonly types: ReadonlySet<string>;
  /** Those that were shared. */
  readonly shared: ReadonlySet<string>;
  /** The shared ones if the host had revoked the worker's claims before. */
  readonly revoked: ReadonlySet<string>;
}

// protocol.md §11.2
/**
 * The workers that stop, and the types that they have given up. Such a worker takes no calls but those of its own agents, whose handlers
 * may still run.
 */
export class GivenUpTypes {
  readonly #leaving = new Map<Peer, GivenUp>();

  /** A worker stops, and has given up these types. Returns false if it has said so before, or is gone. */
  add(peer: Peer, givenUp: GivenUp): boolean {
    if (!peer.isOpen || this.#leaving.has(peer)) return false;
    this.#leaving.set(peer, givenUp);
    return true;
  }

  /** Whether a worker that stops has given up the type, and may still finish the calls of it that it took. */
  has(peer: Peer, agentType: string): boolean {
    const given = this.#leaving.get(peer);
    return given?.types.has(agentType) === true && !given.revoked.has(agentType);
  }

  /** Whether a worker that stops has given up the type after its agents had been revoked. It must not change them any more. */
  hasLost(peer: Peer, agentType: string): boolean {
    return this.#leaving.get(peer)?.revoked.has(agentType) === true;
  }

  /**
   * Whether a call is for its caller's own worker, which has given up the type. Only agents reach these types: a call without a source
   * goes to the successor. Agents of shared types have left the worker: they begin there no more.
   */
  isOwnCall(caller: Peer, { targetType = "", bytes }: PeekedRequest): boolean {
    if (this.#leaving.size === 0 || !this.has(caller, targetType)) return false;
    return this.#leaving.get(caller)?.shared.has(targetType) === false && sourceOf(bytes) !== undefined;
  }

  /** The channel of a worker has ended. Returns whether the worker had said that it stops. */
  delete(peer: Peer): boolean {
    return this.#leaving.delete(peer);
  }
}
