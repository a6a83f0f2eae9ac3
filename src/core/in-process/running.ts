import type { IndexedSet } from "../collections/indexed-set.ts";
import type { HandlerContext } from "../delivery/handler-context.ts";
import type { PendingCall } from "../delivery/pending-call.ts";

/** A message that a handler has. */
export interface Running {
  readonly context: HandlerContext;
  /** Undefined for events. */
  readonly call: PendingCall<unknown> | undefined;
  /** Its place among those that run. */
  slot: number;
}

/** What is being handled right now. */
export type RunningSet = IndexedSet<"slot", Running>;
