import {
  CancelledError,
  CantHandleException,
  type ErrorCode,
  errorText,
  HandlerError,
  MessageDroppedException,
  TimedOutError,
  TroupeError,
  UndeliverableException,
} from "../errors.ts";
import type { RunEnd } from "./run-log.ts";

/** Characters that a run keeps of the text of its error. */
const longestErrorText = 4_096;

/** Returns the end of a run whose handler has failed. */
export function endOf(error: unknown): RunEnd {
  const code = error instanceof TroupeError ? error.code : "handler-failed";
  const text = errorText(error).slice(0, longestErrorText);
  return { status: code === "cancelled" ? "cancelled" : "failed", code, text };
}

/** Makes the error that a reader of a run gets. */
export function errorOfRun(code: string, text: string): TroupeError {
  switch (code) {
    case "undeliverable":
    case "disconnected":
    case "shutting-down":
    case "overloaded":
    case "caller-gone":
      return new UndeliverableException(text, { code });
    case "cancelled":
      return new CancelledError(text);
    case "timed-out":
      return new TimedOutError(text);
    case "cant-handle":
      return new CantHandleException(text);
    case "dropped":
      return new MessageDroppedException(text);
    case "handler-failed":
      return new HandlerError(text);
    default:
      return new TroupeError(knownCode(code), text);
  }
}

/** A newer worker may have a code that this program does not know. */
export function knownCode(code: string): ErrorCode {
  // The text has the form of a code. It is shown, and compared with the codes that the program knows.
  return /^[a-z-]{1,40}$/.test(code) ? (code as ErrorCode) : "handler-failed";
}
