import { namedSenderOf, type PeekedEvent, type PeekedRequest } from "../../protocol/internal.ts";
import type { AgentDirectory } from "../placement/agent-directory.ts";
import type { Placement } from "../placement/placement.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { TypesBetween } from "../registry/types-between.ts";
import type { Peer } from "../sessions/peer.ts";
import { type CallFailure, callFailure } from "./call-failures.ts";

export interface SenderCheckParts {
  /** False: the host does not know who calls, and a sender is a claim. */
  readonly isEnforced: boolean;
  readonly owners: TypeOwners;
  readonly between: TypesBetween;
  readonly directory: Pick<AgentDirectory, "cluster">;
  readonly placement: Placement;
  readonly calls: {
    hasGivenUp(peer: Peer, agentType: string): boolean;
    hasLost(peer: Peer, agentType: string): boolean;
  };
}

// protocol.md §2.1
/** Holds the senders of calls and events to the agent types of the worker that sends them. */
export class SenderCheck {
  readonly #parts: SenderCheckParts;

  constructor(parts: SenderCheckParts) {
    this.#parts = parts;
  }

  /** False: every message may be sent. */
  get isEnforced(): boolean {
    return this.#parts.isEnforced;
  }

  /** Returns the failure of a message in the name of an agent that is not its worker's. Undefined: the worker may send it. */
  whyNot(from: Peer, message: PeekedRequest | PeekedEvent): CallFailure | undefined {
    if (!this.#parts.isEnforced) return undefined;
    const sender = namedSenderOf(message);
    if (sender === undefined || this.#serves(from, sender.type)) return undefined;
    return callFailure.foreignSender(sender.type);
  }

  /**
   * Whether the worker serves the type, or still runs handlers of it. While it changes its connection, it may serve the type by another of
   * its channels, or by none until it has registered the type anew.
   */
  #serves(from: Peer, type: string): boolean {
    const { owners, between, directory, placement, calls } = this.#parts;
    const ids = owners.owners(type);
    if (ids.includes(from.id)) return true;
    const mayRun = (peer: Peer): boolean =>
      ids.includes(peer.id) || calls.hasGivenUp(peer, type) || calls.hasLost(peer, type);
    if (directory.cluster?.serves(type, from.worker.id)) return true;
    if (mayRun(from) || placement.channelsOf(from).some(mayRun)) return true;
    return ids.length === 0 && between.has(from.worker.id, type);
  }
}
