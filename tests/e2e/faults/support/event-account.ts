import type { HostCounters } from "troupe/host";
import type { OrderedArrivals } from "../../../support/load/agents.ts";
import type { Caller } from "./caller.ts";
import type { HostProgram, WorkerProgram, WorkerReport } from "./remote-program.ts";

/** Events that crossed a network that broke, both ways. */
export interface Crossing {
  readonly published: { readonly toFar: number; readonly fromFar: number };
  /** The program whose agent reads those to the far side; and what has arrived from there. */
  readonly target: WorkerProgram;
  readonly fromFar: OrderedArrivals;
}

/** How many have not arrived: to the far side, and from there. */
export async function missingEvents({ published, target, fromFar }: Crossing): Promise<[number, number]> {
  const { events } = await target.tell<WorkerReport>("report");
  return [published.toFar - events, published.fromFar - fromFar.count.value];
}

/** Waits until all have arrived, or were counted by host or workers as lost or in doubt; the test's own time limit is the end. */
export async function untilAccounted(
  crossing: Crossing & { readonly host: HostProgram; readonly far: Caller },
): Promise<void> {
  const { host, target, far } = crossing;
  for (;;) {
    const [toFar, fromFar] = await missingEvents(crossing);
    const counters = await host.tell<HostCounters>("counters");
    const { counts } = await target.tell<WorkerReport>("report");
    const { lostEvents = 0, unconfirmedEvents = 0 } = far.runtime.counters();
    const { unroutableEvents, skippedEvents, droppedEvents } = counters;
    const byHost = unroutableEvents + skippedEvents + droppedEvents + counters.lostEvents + counters.unconfirmedEvents;
    const isToFarCounted = toFar <= byHost + (counts.droppedEvents ?? 0) + (counts.unreadFrames ?? 0);
    const isFromFarCounted = fromFar <= lostEvents + unconfirmedEvents + counters.unreadFrames + counters.badFrames;
    if (isToFarCounted && isFromFarCounted) return;
  }
}
