import {
  CancelledError,
  CantHandleException,
  errorText,
  HandlerError,
  MessageDroppedException,
  NotAccessibleError,
  TimedOutError,
  TroupeError,
  UndeliverableException,
} from "../core/index.ts";
import type { WireMetadata } from "./frame.ts";
import { wellFormed } from "./well-formed.ts";
import { metadataKey } from "./wire-names.ts";
import { fromWireToolError, toWireToolError } from "./wire-tool-error.ts";

/** A failure as an answer carries it: a text that is never empty, and metadata that names its class (protocol.md §2.3). */
export interface WireError {
  readonly error: string;
  readonly metadata: WireMetadata;
}

const makers: { readonly [errorType: string]: (text: string) => Error } = {
  CantHandleException: (text) => new CantHandleException(text),
  UndeliverableException: (text) => new UndeliverableException(text),
  MessageDroppedException: (text) => new MessageDroppedException(text),
  NotAccessibleError: (text) => new NotAccessibleError(text),
  Cancelled: (text) => new CancelledError(text),
  Timeout: (text) => new TimedOutError(text),
};

/** Writes anything thrown. Without text it is the class's name, since an empty error reads as success (W7). */
export function toWireError(thrown: unknown): WireError {
  const tool = toWireToolError(thrown);
  if (tool !== undefined) return tool;
  return { error: wellFormed(errorText(thrown)), metadata: { [metadataKey.errorType]: errorType(thrown) } };
}

function errorType(thrown: unknown): string {
  if (!(thrown instanceof TroupeError)) return "HandlerError";
  switch (thrown.code) {
    case "cant-handle":
      return "CantHandleException";
    case "undeliverable":
    case "disconnected":
    case "shutting-down":
    case "overloaded":
      return "UndeliverableException";
    case "dropped":
      return "MessageDroppedException";
    case "not-accessible":
      return "NotAccessibleError";
    case "cancelled":
      return "Cancelled";
    case "timed-out":
      return "Timeout";
    default:
      return "HandlerError";
  }
}

/** Rebuilds a failure: of the named class if it is one we know, else a `HandlerError` with the same text (Python names none). */
export function fromWireError(error: string, metadata: WireMetadata): Error {
  const named = metadata[metadataKey.errorType] ?? "";
  const make = Object.hasOwn(makers, named) ? makers[named] : undefined;
  return make?.(error) ?? fromWireToolError(named, error, metadata) ?? new HandlerError(error);
}
