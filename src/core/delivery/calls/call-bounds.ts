import type { AgentId } from "../../agents/agent-id.ts";
import type { AmbientContexts } from "../../ambient-contexts.ts";
import { CancelledError, TimedOutError, TroupeError } from "../../errors.ts";
import { type CallPath, noPath } from "../../scope/call-path.ts";
import { type CallScope, scopeOf } from "../../scope/call-scope.ts";

/** The bounds of a call: its timeout, and the signal that ends it early. */
export interface CallBounds {
  /** Milliseconds until the call rejects with `TimedOutError`. Undefined or `Infinity`: never. */
  readonly timeoutMs?: number | undefined;
  /** The call rejects when the signal aborts, and at once when it has aborted before: see `abortError`. */
  readonly signal?: AbortSignal | undefined;
}

/** The bounds that a caller asks for. */
export interface OwnBounds extends CallBounds {
  readonly scope?: CallScope | undefined;
}

/** Bounds that a runtime adds to those of its calls. */
export interface RuntimeBounds {
  readonly defaultTimeoutMs: number | undefined;
  readonly ambient: AmbientContexts | undefined;
}

const unbounded: CallBounds = Object.freeze({});

/**
 * Returns the bounds of a call. The timeout is the caller's own, else the runtime's default. The time that is left to the
 * handler that makes the call limits both. The scope names the handler, else the signal does. A call without a signal of
 * its own ends with the ambient handler. One with a signal of its own is independent of it, unless it names a scope.
 */
export function boundsOf(own: OwnBounds, { defaultTimeoutMs, ambient }: RuntimeBounds): CallBounds {
  const signal = own.signal ?? ambient?.handlerSignal();
  const timeoutMs = own.timeoutMs ?? defaultTimeoutMs;
  const scope = own.scope ?? (signal === undefined ? undefined : scopeOf(signal));
  const left = scope?.deadline?.remainingMs();
  if (left !== undefined) return { signal, timeoutMs: timeoutMs === undefined ? left : Math.min(timeoutMs, left) };
  if (signal === undefined) return timeoutMs === undefined ? unbounded : { timeoutMs };
  return { signal, timeoutMs };
}

/** Returns the scope of a call: its own, else that of its signal. Undefined: the call names neither. */
export function callScopeOf(own: OwnBounds, ambient: AmbientContexts | undefined): CallScope | undefined {
  if (own.scope !== undefined) return own.scope;
  const signal = own.signal ?? ambient?.handlerSignal();
  return signal === undefined ? undefined : scopeOf(signal);
}

/** Returns the turns that wait for a call, as its scope or its signal tells. Undefined: the call names neither. */
export function scopePathOf(own: OwnBounds, ambient: AmbientContexts | undefined): CallPath | undefined {
  const scope = callScopeOf(own, ambient);
  return scope === undefined ? undefined : (scope.path ?? noPath);
}

/** As `scopePathOf`, for the handlers of events and told messages that led to a message. */
export function scopeDepthOf(own: OwnBounds, ambient: AmbientContexts | undefined): number | undefined {
  const scope = callScopeOf(own, ambient);
  return scope === undefined ? undefined : (scope.depth ?? 0);
}

/** Throws `wrong-state` if a handler of the agent itself would wait for the end of its activation, as the scope of its signal tells. */
export function assertNotOwn(id: AgentId, { signal }: CallBounds): void {
  if (signal === undefined || scopeOf(signal)?.agentId.equals(id) !== true) return;
  const text = `A handler of ${id} would wait for itself. Leave out the signal, and do not await the end of its own activation there.`;
  throw new TroupeError("wrong-state", text);
}

/** Returns the error of a call whose bounds are reached before it begins. Undefined: the call may begin. */
export function errorBeforeSend(
  { signal, timeoutMs }: CallBounds,
  recipient: { toString(): string },
): TimedOutError | CancelledError | undefined {
  if (signal?.aborted) return abortError(signal);
  if (timeoutMs === undefined || timeoutMs > 0) return undefined;
  return new TimedOutError(`There was no time left for the call to ${recipient.toString()}: nothing was sent.`);
}

/**
 * Returns the error of a call whose signal has aborted: `CancelledError`, with the signal's reason as cause. When the time of a
 * handler is up, the calls that were made with its signal end for the same reason, with `TimedOutError`.
 */
export function abortError({ reason }: AbortSignal): TimedOutError | CancelledError {
  if (!(reason instanceof TimedOutError)) return new CancelledError(undefined, { cause: reason });
  return new TimedOutError("The time of the call that this one was part of is up.", { cause: reason });
}
