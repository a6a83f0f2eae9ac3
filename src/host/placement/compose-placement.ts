import type { Clock } from "../../core/internal.ts";
import type { BatchRunner } from "../batch-runner.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { Observers } from "../observer.ts";
import type { Peer } from "../sessions/peer.ts";
import type { SenderWaits } from "../sessions/sender-waits.ts";
import type { AgentDirectory } from "./agent-directory.ts";
import type { AgentRoutes } from "./cluster/agent-routes.ts";
import { LeaveNotices } from "./leave-notices.ts";
import { type AcrossSeat, LeavingAgents } from "./leaving-agents.ts";
import { LostAgents } from "./lost-agents.ts";
import { HeldMessages } from "./moving-agent.ts";
import { Placement, type PlacementParts } from "./placement.ts";
import { WorkerDrains } from "./worker-drains.ts";
import { Workers } from "./workers.ts";

export interface ComposedPlacementParts
  extends Omit<PlacementParts, "workers" | "leaving" | "drains" | "lost" | "directory" | "across"> {
  readonly directory: AgentDirectory;
  readonly batches: BatchRunner;
  readonly clock: Clock;
  readonly counters: MutableHostCounters;
  readonly observers: Observers;
  readonly drainGraceMs: number;
  /** Counts what waits for each sender. */
  readonly senderWaits: SenderWaits;
  /** A worker gets no new agents from now on. */
  readonly onDraining: (channels: readonly Peer[]) => void;
  /** Ends the channels of a worker that has not let its agents go in time, in a cluster. */
  readonly endChannels: (channels: readonly Peer[]) => void;
  /** Ends the calls that a worker has for agents of shared types, whose claims are revoked. */
  readonly endCalls: (peers: readonly Peer[]) => void;
}

/** The parts of a host that place the agents of shared types, and let them move. */
export function composePlacement(parts: ComposedPlacementParts) {
  const { directory, batches, clock, counters, observers, drainGraceMs, sharedType, endCalls, endChannels } = parts;
  const workers = new Workers();
  const messages = new HeldMessages(parts.senderWaits);
  const across: AcrossSeat<AgentRoutes> = { now: undefined };
  const lost = new LostAgents(clock, counters);
  const notices: LeaveNotices = new LeaveNotices({
    ...{ clock, workers, batches },
    graceMsOf: (workerId, reason) => (reason === "draining" ? drains.graceMsOf(workerId) : 0),
  });
  const leaving: LeavingAgents = new LeavingAgents({
    ...{ directory, workers, notices, batches, counters, observers, sharedType, messages, across },
    place: (type, key, message, above) => placement.place(type, key, message, above),
    onLeft: (workerId) => drains.left(workerId),
  });
  const drains: WorkerDrains = new WorkerDrains({
    ...{
      directory,
      workers,
      leaving,
      notices,
      batches,
      clock,
      counters,
      observers,
      drainGraceMs,
      endCalls,
      endChannels,
    },
    across,
    onDraining: (workerId) => {
      placement.changed();
      parts.onDraining(workers.peersOf(workerId));
    },
  });
  const placement: Placement = new Placement({ ...parts, workers, leaving, drains, lost, across });
  return { placement, workers, leaving, drains, messages, across };
}
