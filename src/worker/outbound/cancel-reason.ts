import { CancelledError, TimedOutError, UndeliverableException } from "../../core/internal.ts";
import type { CancelReason } from "../../protocol/internal.ts";

/** Returns the reason that a caller sends when it gives up a call. */
export function toCancelReason(error: TimedOutError | CancelledError): CancelReason {
  return error instanceof TimedOutError ? "timed-out" : "cancelled";
}

/** Returns the reason of a handler's signal after its caller has given up. */
export function fromCancelReason(reason: CancelReason): TimedOutError | CancelledError | UndeliverableException {
  switch (reason) {
    case "cancelled":
      return new CancelledError("The caller has cancelled the call.");
    case "timed-out":
      return new TimedOutError("The caller's time is up: the caller does not wait for the answer any more.");
    case "caller-gone":
      return new UndeliverableException("The caller is gone: no caller waits for the answer any more.", {
        code: "caller-gone",
      });
    case "withdrawn":
      return new CancelledError("The host has withdrawn the message.");
  }
}
