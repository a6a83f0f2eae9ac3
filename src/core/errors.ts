/**
 * What went wrong, as a closed list. A code never changes its meaning; the text is for people.
 * - `undeliverable`: nobody can take the message (unknown type). `disconnected`: a link on its way is gone, this worker's or the
 *   target's; it may have been handled. `shutting-down`: this runtime, the target's or the host is ending.
 * - `timed-out`, `cancelled`: the caller's own bound was reached. `caller-gone`: only ever the reason of a handler's signal.
 * - `cant-handle`: the agent refuses this message. `handler-failed`: the agent's handler threw.
 * - `dropped`: an intervention dropped it. `not-accessible`: the agent lives elsewhere and this can't be asked of it.
 * - `invalid-message`: can't be encoded, decoded or validated. `message-too-large`: over a size limit.
 * - `unexpected-answer`: the answer is not of the type the caller was promised. `overloaded`: a bound is reached.
 * - `not-authorized`: the host does not let this worker do it.
 * - `invalid-argument`, `not-found`, `already-exists`, `wrong-class`, `wrong-state`: a call on the API that can't be served.
 * - `tool-not-found`, `invalid-tool-arguments`, `tool-failed`: from a tool agent.
 */
export type ErrorCode =
  | "undeliverable"
  | "disconnected"
  | "shutting-down"
  | "timed-out"
  | "cancelled"
  | "caller-gone"
  | "cant-handle"
  | "handler-failed"
  | "dropped"
  | "not-accessible"
  | "invalid-message"
  | "message-too-large"
  | "unexpected-answer"
  | "overloaded"
  | "not-authorized"
  | "invalid-argument"
  | "not-found"
  | "already-exists"
  | "wrong-class"
  | "wrong-state"
  | "tool-not-found"
  | "invalid-tool-arguments"
  | "tool-failed";

export interface TroupeErrorOptions extends ErrorOptions {
  /** Where it was thrown on another worker, if that worker tells (its option `sendsStacks`). */
  readonly remoteStack?: string | undefined;
}

/** The base of every error Troupe raises on purpose: a stable `code`, a text that says what to do, and the cause if there is one. */
export class TroupeError extends Error {
  override readonly name: string = "TroupeError";
  readonly code: ErrorCode;
  /** The stack on the worker where it was thrown; there only if it came from another worker that sends stacks. */
  declare readonly remoteStack?: string;

  constructor(code: ErrorCode, message: string, options?: TroupeErrorOptions) {
    super(message, options);
    this.code = code;
    if (options?.remoteStack !== undefined) this.remoteStack = options.remoteStack;
  }
}

/** The agent can't handle this message (AutoGen's name; code `cant-handle`). */
export class CantHandleException extends TroupeError {
  override readonly name = "CantHandleException";
  constructor(message: string, options?: TroupeErrorOptions) {
    super("cant-handle", message, options);
  }
}

/** The codes of `UndeliverableException`. */
export type UndeliverableCode = "undeliverable" | "disconnected" | "shutting-down" | "overloaded" | "caller-gone";

/** The message can't be delivered: unknown type, target gone, link lost, too much at once, runtime or host ending (AutoGen's name). */
export class UndeliverableException extends TroupeError {
  override readonly name = "UndeliverableException";
  constructor(message: string, options?: TroupeErrorOptions & { readonly code?: UndeliverableCode }) {
    super(options?.code ?? "undeliverable", message, options);
  }
}

/** An intervention dropped the message or its answer (AutoGen's name; code `dropped`). */
export class MessageDroppedException extends TroupeError {
  override readonly name = "MessageDroppedException";
  constructor(message = "The message was dropped by an intervention handler.", options?: TroupeErrorOptions) {
    super("dropped", message, options);
  }
}

/** The agent is not in this process and the request can't be carried to it (AutoGen's name; code `not-accessible`). */
export class NotAccessibleError extends TroupeError {
  override readonly name = "NotAccessibleError";
  constructor(message: string, options?: TroupeErrorOptions) {
    super("not-accessible", message, options);
  }
}

/** The call's time is up before its answer came (code `timed-out`). */
export class TimedOutError extends TroupeError {
  override readonly name = "TimedOutError";
  constructor(message: string, options?: TroupeErrorOptions) {
    super("timed-out", message, options);
  }
}

/** The caller's signal aborted before the answer came (code `cancelled`); `cause` is the signal's reason. */
export class CancelledError extends TroupeError {
  override readonly name = "CancelledError";
  constructor(message = "The call was cancelled.", options?: TroupeErrorOptions) {
    super("cancelled", message, options);
  }
}

/** A handler on another worker threw; the text is the remote error's (code `handler-failed`). */
export class HandlerError extends TroupeError {
  override readonly name = "HandlerError";
  constructor(message: string, options?: TroupeErrorOptions) {
    super("handler-failed", message, options);
  }
}

/** Text of anything that can be thrown; never empty (the class name stands in for a missing text). */
export function errorText(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message === "" ? thrown.name || thrown.constructor.name : thrown.message;
  const text = typeof thrown === "string" ? thrown : safeString(thrown);
  return text === "" ? "Error" : text;
}

function safeString(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "Error";
  }
}
