import type { Session } from "./session.ts";

/** What is going on with one worker's channel, for operators. */
export interface SessionReport {
  readonly clientId: string;
  readonly peer: string;
  /** What waits to be sent to it. */
  readonly queuedFrames: number;
  readonly queuedBytes: number;
  /** Calls that it waits for, and calls that it was asked and has not answered. */
  readonly pendingCalls: number;
  readonly unansweredCalls: number;
  /** Events kept from it, and calls to it answered `overloaded`, because its queue was full. */
  readonly droppedEvents: number;
  readonly refusedCalls: number;
}

export function reportOf(session: Session): SessionReport {
  const { clientId, peer, queuedFrames, queuedBytes, asked, asking, droppedEvents, refusedCalls } = session;
  return {
    ...{ clientId, peer, queuedFrames, queuedBytes, droppedEvents, refusedCalls },
    pendingCalls: asked.size,
    unansweredCalls: asking.size,
  };
}
