import { CancelledError, TimedOutError, UndeliverableException } from "../../core/internal.ts";
import type { CancelReason } from "../../protocol/internal.ts";

/** What a caller that gives up tells its target. */
export function toCancelReason(error: TimedOutError | CancelledError): CancelReason {
  return error instanceof TimedOutError ? "timed-out" : "cancelled";
}

/** What the signal of a handler aborts with when its caller has given up. */
export function fromCancelReason(reason: CancelReason): TimedOutError | CancelledError | UndeliverableException {
  switch (reason) {
    case "cancelled":
      return new CancelledError("The caller has cancelled the call.");
    case "timed-out":
      return new TimedOutError("The caller's time is up: nobody waits for the answer any more.");
    case "caller-gone":
      return new UndeliverableException("The caller is gone: nobody waits for the answer any more.", {
        code: "caller-gone",
      });
  }
}
