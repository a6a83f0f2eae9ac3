import { type AgentName, compareEpochs, type Epoch } from "../../core/internal.ts";
import type { StateFailure } from "../../protocol/internal.ts";
import type { CallRouter } from "../calls/call-router.ts";
import type { AgentDirectory } from "../placement/agent-directory.ts";
import type { Placement } from "../placement/placement.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { TypesBetween } from "../registry/types-between.ts";
import type { Peer } from "../sessions/peer.ts";
import { rightInCluster } from "./cluster-rights.ts";
import { isUnaware, namedForExclusive, notAuthorized, notServed, unawareOf } from "./right-refusals.ts";

export interface StateRightsParts {
  readonly owners: TypeOwners;
  readonly between: TypesBetween;
  readonly directory: AgentDirectory;
  readonly placement: Placement;
  readonly calls: CallRouter;
}

/** The epoch under which a worker writes. Without a generation it is that of the present opening of the store. */
export interface GrantedEpoch extends Omit<Epoch, "generation"> {
  readonly generation: number | undefined;
}

/** Whether a worker may read and write the state of an agent. */
export type StateRight =
  | { readonly at: "granted"; readonly epoch: GrantedEpoch }
  /** Another worker has the agent by now, under this epoch. */
  | { readonly at: "superseded"; readonly epoch: Epoch }
  | StateFailure;

/** Says which worker may read and write the state of an agent, and under which epoch. */
export class StateRights {
  readonly #parts: StateRightsParts;

  constructor(parts: StateRightsParts) {
    this.#parts = parts;
  }

  /** `named`: the epoch that the worker names itself. Questions that have none are about what the agent's turn has read before. */
  of(from: Peer, agent: AgentName, named: Epoch | "none" | undefined): StateRight {
    if (this.#parts.directory.cluster !== undefined) return rightInCluster(this.#parts, from, agent, named);
    return this.#ofLoneHost(from, agent, named === "none" ? undefined : named);
  }

  #ofLoneHost(from: Peer, agent: AgentName, named: Epoch | undefined): StateRight {
    const { owners, calls, directory } = this.#parts;
    const { type } = agent;
    // Also when no worker serves the type any more: then nothing else says that it was shared.
    if (calls.hasLost(from, type))
      return { at: "superseded", epoch: directory.newestEpoch(owners.shared(type) ?? owners) };
    // A worker that leaves has given up its types, and still finishes the calls that it took.
    const serves = this.#serves(from, type) || calls.hasGivenUp(from, type);
    if (!serves && !this.#hasClaim(from, agent)) {
      return notServed(type);
    }
    const shared = owners.hasShared ? owners.shared(type) : undefined;
    if (shared !== undefined) return this.#ofShared(from, agent, shared, named);
    // The worker was the last one of a shared type, and has given it up. While no worker serves the type anew, its last turns commit.
    if (named !== undefined && calls.hasGivenUp(from, type)) {
      const newest = directory.newestEpoch(owners);
      const isFree = owners.owners(type).length === 0;
      return isFree ? grantedHere(newest) : { at: "superseded", epoch: newest };
    }
    if (named !== undefined) {
      return namedForExclusive;
    }
    // The era is higher than that of any claim from a time when the type was shared.
    return grantedHere({ era: owners.era, number: 0 });
  }

  // protocol.md §11.15
  /**
   * Whether the worker serves the type. While it changes its connection, it may serve an exclusive one by another of its channels.
   * Until it has registered the type anew, it may serve it by none.
   */
  #serves(from: Peer, type: string): boolean {
    const { owners, placement, between } = this.#parts;
    const ids = owners.owners(type);
    if (ids.includes(from.id)) return true;
    const isShared = owners.hasShared && owners.shared(type) !== undefined;
    if (isShared) return false;
    if (ids.length === 0) return between.has(from.worker.id, type);
    return placement.channelsOf(from).some(({ id }) => ids.includes(id));
  }

  // protocol.md §11.15
  /** Whether the worker holds the agent. After a change of its connection messages may come before it has registered the type anew. */
  #hasClaim(from: Peer, { type, key }: AgentName): boolean {
    const { owners, directory } = this.#parts;
    const shared = owners.hasShared ? owners.shared(type) : undefined;
    return shared !== undefined && directory.find(shared, key)?.workerId === from.worker.id;
  }

  // protocol.md §11.15
  #ofShared(from: Peer, { type, key }: AgentName, shared: SharedType, named: Epoch | undefined): StateRight {
    const { directory, calls, placement } = this.#parts;
    if (isUnaware(from, shared)) return unawareOf(type);
    const claim = directory.find(shared, key);
    const newest = directory.newestEpoch(shared);
    // The calls that it had for its agents have failed: they must not change anything any more.
    if (placement.isRevoked(from)) return { at: "superseded", epoch: claim?.epoch ?? newest };
    if (claim === undefined) {
      // Its claims have ended with its notice. While no other worker has the agent, its last turns commit.
      if (calls.hasGivenUp(from, type)) return grantedHere(newest);
      // It has had the agent, and has let it go.
      if (named !== undefined && compareEpochs(named, newest) <= 0) return { at: "superseded", epoch: newest };
      return notAuthorized(
        "The host has sent this worker no message for the agent, so that the worker does not hold it.",
      );
    }
    const isPresent =
      claim.workerId === from.worker.id && (named === undefined || compareEpochs(claim.epoch, named) === 0);
    return isPresent ? grantedHere(claim.epoch) : { at: "superseded", epoch: claim.epoch };
  }
}

/** On a lone host the opening of the store is the generation, also if the store opens only with the write. */
function grantedHere({ era, number }: Omit<Epoch, "generation">): StateRight {
  return { at: "granted", epoch: { generation: undefined, era, number } };
}
