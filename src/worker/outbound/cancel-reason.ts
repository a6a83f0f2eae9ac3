import { CancelledError, TimedOutError, UndeliverableException } from "../../core/internal.ts";
import type { CancelReason } from "../../protocol/internal.ts";

/** The reason that a caller which gives up tells its target. */
export function toCancelReason(error: TimedOutError | CancelledError): CancelReason {
  return error instanceof TimedOutError ? "timed-out" : "cancelled";
}

/** The reason of a handler's signal when its caller has given up. */
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
