import type { GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import type { WorkerCounters } from "troupe/worker";
import type { EventReport } from "./event-books.ts";

/** How many events host or workers say are lost, or may be. */
export interface Admitted {
  /** By the host: dropped, lost or kept from workers; sent to them and in doubt; come from them and not read. */
  readonly byHost: { readonly lost: number; readonly inDoubt: number; readonly unread: number };
  /** By a worker of what it sent. */
  readonly bySender: Readonly<Record<string, number>>;
  /** By the workers of what had come to them. */
  readonly byReaders: number;
}

/** The counters of a worker that has gone or is there. */
/** The counters of losses, which are numbers; the activations lose nothing. */
type LossCounters = Omit<WorkerCounters, "activations" | "deactivations" | "forcedDeactivations" | "overCap">;

export interface CountedWorker {
  readonly name: string;
  readonly counts: Readonly<LossCounters>;
}

export function admittedLosses(
  counters: ReturnType<GrpcWorkerAgentRuntimeHost["counters"]>,
  workers: readonly CountedWorker[],
): Admitted {
  const bySender: Record<string, number> = {};
  let byReaders = 0;
  for (const { name, counts } of workers) {
    bySender[name] = (bySender[name] ?? 0) + counts.lostEvents + counts.unconfirmedEvents;
    byReaders += counts.droppedEvents + counts.eventsAfterStop + counts.unreadableEvents;
    byReaders += counts.unreadableFrames + counts.unreadFrames + counts.unroutedEvents;
  }
  const { unroutableEvents, skippedEvents, droppedEvents, lostEvents, filteredEvents } = counters;
  const lost = unroutableEvents + skippedEvents + droppedEvents + lostEvents + filteredEvents;
  return {
    byHost: { lost, inDoubt: counters.unconfirmedEvents, unread: counters.unreadFrames + counters.badFrames },
    bySender,
    byReaders,
  };
}

/**
 * What is missing and nobody has counted, in words. An event that its sender has lost is missed by each of its readers, of which
 * there are at most so many.
 */
export function uncounted({ lostBy }: EventReport, admitted: Admitted, mostReaders: number): string[] {
  const problems: string[] = [];
  const { lost: known, inDoubt, unread } = admitted.byHost;
  let due = 0;
  for (const [worker, lost] of Object.entries(lostBy)) {
    due += lost.due;
    // What the host has not read may be anybody's.
    const bound = ((admitted.bySender[worker] ?? 0) + unread) * mostReaders;
    if (lost.sent > bound) problems.push(`${lost.sent} events of ${worker} are missing, counted ${bound}`);
  }
  const bound = known + inDoubt + unread + admitted.byReaders;
  if (due > bound) problems.push(`${due} events for workers that were cut off are missing, counted ${bound}`);
  return problems;
}
