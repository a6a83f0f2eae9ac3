import { brandClass } from "./copies.ts";

/**
 * The kinds of errors: a closed list. A code never changes its meaning; the text is for people.
 * - `undeliverable`: no agent can take the message (unknown type). `disconnected`: this worker or the target's worker lost its
 *   link; the message may have been handled. `shutting-down`: this runtime, the target's runtime or the host is ending.
 * - `timed-out`, `cancelled`: the call reached a bound that its caller set. `caller-gone`: the caller has left; only a handler's
 *   signal has this code.
 * - `cant-handle`: the agent refuses this message. `handler-failed`: the agent's handler threw.
 * - `dropped`: an intervention dropped it. `not-accessible`: the agent lives on another worker, and the request cannot go there.
 * - `invalid-message`: the message cannot be encoded, decoded or validated. `message-too-large`: it is over a size limit.
 * - `unexpected-answer`: the answer is not of the type that the call promises. `overloaded`: a bound is reached.
 * - `mailbox-full`: an agent has as many kept messages as its mailbox takes, and nothing was kept.
 * - `loop-detected`: too many turns wait for the call, one for the other. `deadlock`: the call and others wait for each other.
 * - `not-authorized`: the host does not let this worker do it.
 * - `invalid-argument`, `not-found`, `already-exists`, `wrong-class`, `wrong-state`: a call on the API that cannot be served.
 * - `state-unavailable`: the state store can't read or write now, and nothing has changed. `state-unknown`: it may have written.
 * - `state-conflict`: another program, or another turn, changes the agent's state. `state-unreadable`, `state-too-new`: the stored state does not fit
 *   this program. `state-too-large`, `invalid-state`: the state that a handler left can't be saved. Nothing has changed.
 * - `too-many-takeovers`: a run was lost with too many workers in a row.
 * - `gone`: these chunks of a run are not kept any more. The text names the first one that is.
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
  | "mailbox-full"
  | "loop-detected"
  | "deadlock"
  | "not-authorized"
  | "invalid-argument"
  | "not-found"
  | "already-exists"
  | "wrong-class"
  | "wrong-state"
  | "state-unavailable"
  | "state-unknown"
  | "state-conflict"
  | "state-unreadable"
  | "state-too-new"
  | "state-too-large"
  | "invalid-state"
  | "too-many-takeovers"
  | "gone"
  | "tool-not-found"
  | "invalid-tool-arguments"
  | "tool-failed";

/** Options of the constructors of `TroupeError` and its subclasses. */
export interface TroupeErrorOptions extends ErrorOptions {
  /** The stack on the other worker, if that worker sends stacks (its option `sendsStacks`). */
  readonly remoteStack?: string | undefined;
  /** Whether the message fails as often as it is tried; see `TroupeError.isFinal`. Default: false. */
  readonly isFinal?: boolean | undefined;
  /** Milliseconds after which another attempt may succeed; see `TroupeError.retryAfterMs`. Default: it is not known. */
  readonly retryAfterMs?: number | undefined;
}

/** The base class of every error that Troupe raises on purpose. It has a stable `code`; its text says what to do next. */
export class TroupeError extends Error {
  override readonly name: string = "TroupeError";
  readonly code: ErrorCode;
  /** The stack on the worker where it was thrown. Set only if it came from another worker that sends stacks. */
  declare readonly remoteStack?: string;
  /**
   * True: the message would fail again. A told message or a reminder whose handler throws such an error becomes a dead letter at once,
   * instead of being tried again.
   *
   * @example
   * ```ts
   * throw new HandlerError("There is no such order.", { isFinal: true });
   * ```
   */
  declare readonly isFinal?: true | undefined;
  /**
   * Milliseconds after which another attempt may succeed, as the host says that refuses a message because of its quotas (code `overloaded`). Not set:
   * it is not known.
   */
  declare readonly retryAfterMs?: number | undefined;

  /**
   * Turns any thrown value into a `TroupeError`. It returns a `TroupeError` as it is. Any other value becomes the `cause` of a
   * `HandlerError` (code `handler-failed`), whose text is never empty.
   *
   * @example
   * ```ts
   * try {
   *   await runtime.sendMessage(message, id);
   * } catch (thrown) {
   *   const { code, message } = TroupeError.from(thrown);
   *   console.error(code, message);
   * }
   * ```
   */
  static from(thrown: unknown): TroupeError {
    return thrown instanceof TroupeError ? thrown : new HandlerError(errorText(thrown), { cause: thrown });
  }

  constructor(code: ErrorCode, message: string, options?: TroupeErrorOptions) {
    super(message, options);
    this.code = code;
    if (options?.remoteStack !== undefined) this.remoteStack = options.remoteStack;
    if (options?.isFinal === true) this.isFinal = true;
    if (options?.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
  }
}
brandClass(TroupeError, "TroupeError");

/** The agent cannot handle this message (AutoGen's name; code `cant-handle`). */
export class CantHandleException extends TroupeError {
  override readonly name = "CantHandleException";
  constructor(message: string, options?: TroupeErrorOptions) {
    super("cant-handle", message, options);
  }
}
brandClass(CantHandleException, "CantHandleException");

/** The codes of `UndeliverableException`. */
export type UndeliverableCode = "undeliverable" | "disconnected" | "shutting-down" | "overloaded" | "caller-gone";

/** Options of the constructor of `UndeliverableException`. */
export interface UndeliverableOptions extends TroupeErrorOptions {
  /** Default `undeliverable`. */
  readonly code?: UndeliverableCode | undefined;
  /** Whether it is certain that no handler has seen the call. Default: false. */
  readonly notHandled?: boolean | undefined;
}

/**
 * The message cannot be delivered: unknown type, target gone, link lost, a bound reached, or a runtime or host that ends (AutoGen's
 * name).
 */
export class UndeliverableException extends TroupeError {
  override readonly name = "UndeliverableException";
  /**
   * True: it is certain that no handler has seen the call, so that sending it again does nothing twice. Not set: the call may have
   * been handled. An error that a handler passes on loses it on its way to another worker.
   */
  declare readonly notHandled?: true;

  constructor(message: string, options?: UndeliverableOptions) {
    super(options?.code ?? "undeliverable", message, options);
    if (options?.notHandled === true) this.notHandled = true;
  }
}
brandClass(UndeliverableException, "UndeliverableException");

/** An intervention dropped the message or its answer (AutoGen's name; code `dropped`). */
export class MessageDroppedException extends TroupeError {
  override readonly name = "MessageDroppedException";
  constructor(message = "The message was dropped by an intervention handler.", options?: TroupeErrorOptions) {
    super("dropped", message, options);
  }
}
brandClass(MessageDroppedException, "MessageDroppedException");

/** The agent is not in this process and the request cannot reach it (AutoGen's name; code `not-accessible`). */
export class NotAccessibleError extends TroupeError {
  override readonly name = "NotAccessibleError";
  constructor(message: string, options?: TroupeErrorOptions) {
    super("not-accessible", message, options);
  }
}
brandClass(NotAccessibleError, "NotAccessibleError");

/** The time of the call was over before its answer came (code `timed-out`). */
export class TimedOutError extends TroupeError {
  override readonly name = "TimedOutError";
  constructor(message: string, options?: TroupeErrorOptions) {
    super("timed-out", message, options);
  }
}
brandClass(TimedOutError, "TimedOutError");

/** The caller's signal aborted before the answer came (code `cancelled`); `cause` is the signal's reason. */
export class CancelledError extends TroupeError {
  override readonly name = "CancelledError";
  constructor(message = "The call was cancelled.", options?: TroupeErrorOptions) {
    super("cancelled", message, options);
  }
}
brandClass(CancelledError, "CancelledError");

/** One error in the chain of causes. */
export interface RemoteCause {
  /** The name of its class: `TypeError`. */
  readonly name: string;
  /** Its `code`, if it has one: `ECONNREFUSED`. */
  readonly code: string | number | undefined;
  /** Its text. */
  readonly message: string;
}

/** Describes the value that a handler threw on another worker. That worker cuts every text; see `HandlerError.remote`. */
export interface RemoteFailure {
  /** The name of its class: `TypeError`; `Object` for a plain object. */
  readonly name: string;
  /** Its `code`, if it has one: `ECONNREFUSED`. */
  readonly code: string | number | undefined;
  /** The value's own fields. Of an error: those with a text, a number or a boolean. Of another object: all that JSON can hold. */
  readonly detail: { readonly [field: string]: unknown };
  /** Its chain of causes, the nearest first; eight at most. */
  readonly causes: readonly RemoteCause[];
}

/** Options of the constructor of `HandlerError`. */
export interface HandlerErrorOptions extends TroupeErrorOptions {
  /** Describes the value that was thrown on another worker. Default: none. */
  readonly remote?: RemoteFailure | undefined;
}

/** The handler of an agent failed (code `handler-failed`). The text names the agent if it lives on another worker. */
export class HandlerError extends TroupeError {
  override readonly name = "HandlerError";
  /** Describes the value that was thrown on the other worker. Undefined if that worker, or a host on the way, is not Troupe's. */
  declare readonly remote?: RemoteFailure;

  constructor(message: string, options?: HandlerErrorOptions) {
    super("handler-failed", message, options);
    if (options?.remote !== undefined) this.remote = options.remote;
  }
}
brandClass(HandlerError, "HandlerError");

/** Characters that `errorText` keeps of a thrown object's JSON. */
const longestObjectText = 1_000;

/** Returns the text of any thrown value. Never empty: the class's name replaces a missing text. Never throws. */
export function errorText(thrown: unknown): string {
  const text = typeof thrown === "object" && thrown !== null ? objectText(thrown) : safeString(thrown);
  return text === "" ? "Error" : text;
}

/** Returns the object's own text, else its fields. It does not throw when the object's own methods do. */
function objectText(thrown: object): string {
  try {
    if ("message" in thrown && typeof thrown.message === "string" && thrown.message !== "") return thrown.message;
    if (thrown instanceof Error) return nameOf(thrown);
    const text = safeString(thrown);
    if (text !== "Error" && !text.startsWith("[object ")) return text;
    const fields = JSON.stringify(thrown) ?? text;
    if (fields === "{}") return nameOf(thrown);
    return fields.length <= longestObjectText ? fields : `${fields.slice(0, longestObjectText)}…`;
  } catch {
    return "An object that can't be shown as text was thrown.";
  }
}

/** Returns the name of an error, else of the object's class. Both may be anything. */
function nameOf(thrown: object): string {
  const own = thrown instanceof Error ? thrown.name : undefined;
  if (typeof own === "string" && own !== "") return own;
  const maker: unknown = thrown.constructor;
  return typeof maker === "function" && maker.name !== "" ? maker.name : "Error";
}

function safeString(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "Error";
  }
}
