import type { AmbientContexts } from "../ambient-contexts.ts";
import type { Clock } from "../clock.ts";
import { CancelledError, TimedOutError } from "../errors.ts";
import { deadlineOf, remainingMs } from "./deadline.ts";

/** What bounds one call. Nothing is armed for a bound that is not set. */
export interface CallBounds {
  /** Rejects with `TimedOutError` after so many milliseconds; undefined or `Infinity`: never. */
  readonly timeoutMs?: number | undefined;
  /** Rejects when it aborts, at once when it has aborted: see `abortError`. */
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
  /** Who is called, for the text of `TimedOutError`. */
  readonly recipient?: { toString(): string } | undefined;
  /** Called once if a bound ends the call, before its promise rejects; the error is the one it rejects with. */
  readonly onGivenUp?: ((error: TimedOutError | CancelledError) => void) | undefined;
}

/** What a runtime adds to the bounds of the calls made with it. */
export interface RuntimeBounds {
  readonly defaultTimeoutMs: number | undefined;
  readonly ambient: AmbientContexts | undefined;
}

/** How long a call may take, and what ends it early. */
export interface OwnBounds {
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const unbounded: OwnBounds = Object.freeze({});

/**
 * What bounds a call: what its caller asks for, else the runtime's default; and in any case what is left to the handler it
 * is made by, which is known by the handler's signal. Without a signal of its own it takes the ambient handler's.
 */
export function boundsOf(own: OwnBounds, { defaultTimeoutMs, ambient }: RuntimeBounds): OwnBounds {
  const signal = own.signal ?? ambient?.handlerSignal();
  const timeoutMs = own.timeoutMs ?? defaultTimeoutMs;
  if (signal === undefined) return timeoutMs === undefined ? unbounded : { timeoutMs };
  const inherited = deadlineOf(signal);
  if (inherited === undefined) return { signal, timeoutMs };
  const left = remainingMs(inherited);
  return { signal, timeoutMs: timeoutMs === undefined ? left : Math.min(timeoutMs, left) };
}

/** Why a call with these bounds is over before it has begun; undefined: it is not. */
export function errorBeforeSend(
  { signal, timeoutMs }: OwnBounds,
  recipient: { toString(): string },
): TimedOutError | CancelledError | undefined {
  if (signal?.aborted) return abortError(signal);
  if (timeoutMs === undefined || timeoutMs > 0) return undefined;
  return new TimedOutError(`There was no time left for the call to ${recipient.toString()}: nothing was sent.`);
}

/**
 * Why a call ends when this signal aborts: `CancelledError`, with the signal's reason as cause. A handler's signal that
 * aborted because its time was up ends the calls made with it for that same reason, `TimedOutError`.
 */
export function abortError({ reason }: AbortSignal): TimedOutError | CancelledError {
  if (!(reason instanceof TimedOutError)) return new CancelledError(undefined, { cause: reason });
  return new TimedOutError("The time of the call that this one was part of is up.", { cause: reason });
}
