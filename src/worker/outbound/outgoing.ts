import type { UndeliverableReason } from "../connection/outbox.ts";
import type { OutgoingCalls } from "./outgoing-calls.ts";
import type { OutgoingEvents } from "./outgoing-events.ts";
import type { SendQueue } from "./send-queue.ts";

/** The calls and the events of a worker, and the queue that both leave by. */
export interface Outgoing {
  readonly sendQueue: SendQueue;
  readonly calls: OutgoingCalls;
  readonly events: OutgoingEvents;
}

/** Rejects what waits to leave, for an intervention or for an answer, at the end of a run. Returns the number of queued events that are lost. */
export function closeOutgoing({ sendQueue, calls, events }: Outgoing, reason: UndeliverableReason): number {
  const lost = sendQueue.close(reason);
  calls.rejectAll(reason);
  events.rejectAll(reason);
  return lost;
}

/** Takes messages again after `closeOutgoing`, for the next run. */
export function reopenOutgoing({ sendQueue, calls, events }: Outgoing): void {
  sendQueue.reopen();
  calls.reopen();
  events.reopen();
}
