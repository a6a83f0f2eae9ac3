import type { Logger } from "../../core/internal.ts";
import { namedSenderOf, type PeekedEvent, type PeekedRequest } from "../../protocol/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
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
  readonly counters: MutableHostCounters;
  readonly logger: Logger | undefined;
}

// protocol.md §2.1, §2.4
/**
 * Holds the senders of calls and events to the agent types of the worker that sends them. It also holds the messages to the rules of the host. It
 * counts and logs what it refuses.
 */
export class SenderCheck {
  readonly #parts: SenderCheckParts;

  constructor(parts: SenderCheckParts) {
    this.#parts = parts;
  }

  /** False: every message may be sent. */
  get isEnforced(): boolean {
    return this.#parts.isEnforced;
  }

  /** Returns the failure of a message that its worker may not send. Undefined: the worker may send it. */
  whyNot(from: Peer, message: PeekedRequest | PeekedEvent): CallFailure | undefined {
    if (!this.#parts.isEnforced) return undefined;
    const sender = namedSenderOf(message);
    if (sender !== undefined && !this.#serves(from, sender.type)) return this.#foreign(from, sender.type);
    const { access } = from;
    if (access === undefined) return undefined;
    const agent = access.asksAgents ? sender?.type : undefined;
    const text =
      message.kind === "event"
        ? access.whyNot("publish", message.topicType, agent)
        : // The call router refuses a call without a target.
          message.targetType && access.whyNot("call", message.targetType, agent);
    return text ? callFailure.denied(text) : undefined;
  }

  #foreign(from: Peer, type: string): CallFailure {
    const { counters, logger } = this.#parts;
    const failure = callFailure.foreignSender(type);
    counters.refusedSenders += 1;
    logger?.warn("a message is refused: its sender is not an agent of its worker", {
      clientId: from.id,
      reason: failure.text,
    });
    return failure;
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
