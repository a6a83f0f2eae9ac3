import {
  CancelledError,
  CantHandleException,
  type ErrorCode,
  errorText,
  HandlerError,
  type HandlerErrorOptions,
  InvalidToolArgumentsException,
  MessageDroppedException,
  NotAccessibleError,
  type RemoteFailure,
  stockTextOf,
  TimedOutError,
  ToolException,
  ToolExecutionException,
  type ToolFailure,
  ToolNotFoundException,
  TroupeError,
  type UndeliverableCode,
  UndeliverableException,
} from "../../core/internal.ts";
import { parseTimeout } from "../extension-metadata.ts";
import { wellFormed } from "../frames/byte-writer.ts";
import type { WireMetadata } from "../frames/frame.ts";
import { metadataKey } from "../wire-names.ts";
import { parseErrorDetail, toErrorDetail } from "./wire-error-detail.ts";

// protocol.md §2.3, §11.3
/** A failure as an answer carries it: a text that is never empty, and metadata that names its class and code. */
export interface WireError {
  readonly error: string;
  readonly metadata: WireMetadata;
}

export interface ToWireErrorOptions {
  /** Whether to send the stack, which only Troupe's peers read. Default: false. */
  readonly withStack?: boolean;
  /** Whether the host is Troupe's: then the answer tells what a handler threw, and whether it is final. Default false. */
  readonly withDetail?: boolean;
}

/** The name of an error on the wire, and the function that a receiver creates it with. */
interface WireErrorKind {
  readonly type: string;
  readonly make: (text: string, options: HandlerErrorOptions, metadata: WireMetadata) => Error;
}

const undeliverable = (code: UndeliverableCode): WireErrorKind => ({
  type: "UndeliverableException",
  make: (text, options, metadata) =>
    new UndeliverableException(text, { ...options, code, notHandled: saysNotHandled(metadata) }),
});
/** Creates the kind of a code without a class of its own. Peers that do not know codes read it as a failed handler. */
const plain = (code: ErrorCode): WireErrorKind => ({
  type: "HandlerError",
  make: (text, options) => new TroupeError(code, text, options),
});
const tool = (type: string, ErrorClass: ToolErrorClass): WireErrorKind => ({
  type,
  make: (content, options, metadata) => new ErrorClass(fromToolErrorMetadata(content, metadata), options),
});

const kinds: { readonly [Code in ErrorCode]: WireErrorKind } = {
  undeliverable: undeliverable("undeliverable"),
  disconnected: undeliverable("disconnected"),
  "shutting-down": undeliverable("shutting-down"),
  overloaded: undeliverable("overloaded"),
  "caller-gone": undeliverable("caller-gone"),
  "timed-out": { type: "Timeout", make: (text, options) => new TimedOutError(text, options) },
  cancelled: { type: "Cancelled", make: (text, options) => new CancelledError(text, options) },
  "cant-handle": { type: "CantHandleException", make: (text, options) => new CantHandleException(text, options) },
  dropped: { type: "MessageDroppedException", make: (text, options) => new MessageDroppedException(text, options) },
  "not-accessible": { type: "NotAccessibleError", make: (text, options) => new NotAccessibleError(text, options) },
  "handler-failed": { type: "HandlerError", make: (text, options) => new HandlerError(text, options) },
  "invalid-message": plain("invalid-message"),
  "mailbox-full": plain("mailbox-full"),
  "message-too-large": plain("message-too-large"),
  "unexpected-answer": plain("unexpected-answer"),
  "loop-detected": plain("loop-detected"),
  deadlock: plain("deadlock"),
  "not-authorized": plain("not-authorized"),
  "invalid-argument": plain("invalid-argument"),
  "not-found": plain("not-found"),
  "already-exists": plain("already-exists"),
  "wrong-class": plain("wrong-class"),
  "wrong-state": plain("wrong-state"),
  "state-unavailable": plain("state-unavailable"),
  "state-conflict": plain("state-conflict"),
  "state-unreadable": plain("state-unreadable"),
  "state-too-new": plain("state-too-new"),
  "state-too-large": plain("state-too-large"),
  "invalid-state": plain("invalid-state"),
  "state-unknown": plain("state-unknown"),
  "too-many-takeovers": plain("too-many-takeovers"),
  gone: plain("gone"),
  "tool-not-found": tool("ToolNotFoundException", ToolNotFoundException),
  "invalid-tool-arguments": tool("InvalidToolArgumentsException", InvalidToolArgumentsException),
  "tool-failed": tool("ToolExecutionException", ToolExecutionException),
};

/** Kinds by class name, for errors without a known code: the first code with that class. */
const kindOfType = new Map<string, WireErrorKind>();
for (const kind of Object.values(kinds)) if (!kindOfType.has(kind.type)) kindOfType.set(kind.type, kind);

/** Limit of a stack, in characters. */
const longestStack = 16 * 1024;

// protocol.md W7
/**
 * Writes any thrown value. An error without text gets the name of its class, because an empty error reads as success.
 */
export function toWireError(thrown: unknown, options: ToWireErrorOptions = {}): WireError {
  try {
    return written(thrown, options);
  } catch {
    // An object whose own code throws, such as a revoked proxy. Its caller still learns that the handler failed.
    return written(new HandlerError(errorText(thrown)), {});
  }
}

function written(thrown: unknown, options: ToWireErrorOptions): WireError {
  const given = TroupeError.from(thrown).code;
  // Another version of the package may have more codes.
  const code = isErrorCode(given) ? given : "handler-failed";
  const stack =
    options.withStack === true && thrown instanceof Error && typeof thrown.stack === "string"
      ? thrown.stack
      : undefined;
  const hasDetail = options.withDetail === true && code === "handler-failed";
  const metadata = {
    [metadataKey.errorType]: kinds[code].type,
    [metadataKey.errorCode]: code,
    ...toolErrorMetadata(thrown),
    ...(stack === undefined ? {} : { [metadataKey.errorStack]: wellFormed(stack.slice(0, longestStack)) }),
    ...(hasDetail ? { [metadataKey.errorDetail]: toErrorDetail(thrown) } : {}),
    // The host is Troupe's.
    ...(options.withDetail === true && TroupeError.from(thrown).isFinal === true ? { [metadataKey.final]: "1" } : {}),
  };
  return { error: wellFormed(textOnWire(thrown)), metadata };
}

/** Stock peers go on to get what `String` makes of a thrown object; Troupe's peers read its fields in the detail. */
function textOnWire(thrown: unknown): string {
  const stockText = stockTextOf(thrown);
  if (stockText !== undefined) return stockText;
  if (thrown instanceof Error || typeof thrown !== "object" || thrown === null) return errorText(thrown);
  try {
    return String(thrown) || "Error";
  } catch {
    return "Error";
  }
}

/**
 * Creates the error again: from its code if that is known, otherwise from its class, otherwise as a `HandlerError`.
 * Python sends neither code nor class. The text of a `HandlerError` names the agent if it is given.
 */
export function fromWireError(error: string, metadata: WireMetadata, agent?: { toString(): string }): Error {
  const code = metadata[metadataKey.errorCode] ?? "";
  const type = metadata[metadataKey.errorType] ?? "";
  const kind = isErrorCode(code) ? kinds[code] : (kindOfType.get(type) ?? kinds["handler-failed"]);
  const isOfHandler = kind === kinds["handler-failed"];
  const remote = isOfHandler ? parseErrorDetail(metadata[metadataKey.errorDetail]) : undefined;
  const shown = remote !== undefined && saysNothing(error) ? textOfObject(remote) : error;
  const text = isOfHandler && agent !== undefined ? `${agent.toString()} failed: ${shown}` : shown;
  const isFinal = metadata[metadataKey.final] === "1";
  const retryAfterMs = retryAfterMsIn(metadata);
  return kind.make(text, { remoteStack: metadata[metadataKey.errorStack], remote, isFinal, retryAfterMs }, metadata);
}

// protocol.md §2.5
/** Reads the milliseconds after which another attempt may succeed. Undefined: the host names none. */
export function retryAfterMsIn(metadata: WireMetadata | undefined): number | undefined {
  return parseTimeout(metadata?.[metadataKey.retryMs] ?? "");
}

// protocol.md §11.3
/** Whether an answer says that no handler has seen the call. */
export function saysNotHandled(metadata: WireMetadata): boolean {
  return metadata[metadataKey.notHandled] === "1";
}

/** Whether a text is what `String` makes of an object without a text of its own. */
function saysNothing(text: string): boolean {
  return text === "Error" || text.startsWith("[object ");
}

/** The text of a thrown object that has none of its own: its fields, or the name of its class. */
function textOfObject({ name, detail }: RemoteFailure): string {
  return Object.keys(detail).length === 0 ? name : errorText(detail);
}

/** Whether a text is an error code that this version knows. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(kinds, text);
}

type ToolErrorClass = new (failure: ToolFailure, options?: HandlerErrorOptions) => ToolException;

// protocol.md §5.5
/** Returns the metadata that names the call and the tool of a failed tool agent; empty for any other error. */
function toolErrorMetadata(thrown: unknown): WireMetadata {
  if (!(thrown instanceof ToolException)) return {};
  return {
    [metadataKey.toolCallId]: wellFormed(thrown.callId),
    [metadataKey.toolName]: wellFormed(thrown.toolName),
  };
}

function fromToolErrorMetadata(content: string, metadata: WireMetadata): ToolFailure {
  const { [metadataKey.toolCallId]: callId = "", [metadataKey.toolName]: toolName = "" } = metadata;
  return { callId, content, toolName };
}
