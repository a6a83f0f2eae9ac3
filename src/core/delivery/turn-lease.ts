import { UndeliverableException } from "../errors.ts";

// protocol.md §11.19
/** The lease under which a runtime begins turns, if its host lends one. */
export interface TurnLease {
  /** Whether code of agents may begin now. Ask in the same turn of the event loop in which it begins. */
  readonly mayBegin: boolean;
  /**
   * Undefined: code of agents may begin now. Else resolves, in the order of the questions, when there is a lease. Rejects with the error of
   * `leaseMissed` when none came in time. Ask `mayBegin` after the wait.
   */
  wait(): Promise<void> | undefined;
}

const missed = new WeakSet<object>();

/** Makes the error for what had to begin under a lease that did not come in time. No handler has seen it. */
export function leaseMissed(): UndeliverableException {
  const text =
    "The worker has lost touch with its cluster, and begins nothing until it is back. Send the message again.";
  const error = new UndeliverableException(text, { code: "shutting-down", notHandled: true });
  missed.add(error);
  return error;
}

/** Whether `leaseMissed` has made the error. */
export function isLeaseMissed(error: unknown): boolean {
  return typeof error === "object" && error !== null && missed.has(error);
}
