import { AsyncLocalStorage } from "node:async_hooks";
import { type Context, context, type Span, SpanStatusCode, trace } from "@opentelemetry/api";
import { errorText, sharedByCopies } from "../../core/internal.ts";

/** Carries the active span over awaits if no context manager is registered. */
const fallback = sharedByCopies("spans", () => new AsyncLocalStorage<Context>());

/** Returns the active context, or ours if OpenTelemetry has no active span. */
export function activeContext(): Context {
  const active = context.active();
  return trace.getSpan(active) === undefined ? (fallback.getStore() ?? active) : active;
}

/**
 * Runs `body` with the span active, and ends the span when its result or promise settles. Records a failure with the
 * status that Python writes, and throws it again. `onFailure` may add to the span.
 */
export function runInSpan<T>(span: Span, body: () => T, onFailure?: (error: unknown) => void): T {
  const inside = trace.setSpan(activeContext(), span);
  const fail = (error: unknown): never => {
    recordFailure(span, error);
    onFailure?.(error);
    span.end();
    throw error;
  };
  let result: T;
  try {
    result = fallback.run(inside, () => context.with(inside, body));
  } catch (error) {
    return fail(error);
  }
  if (!(result instanceof Promise)) {
    span.end();
    return result;
  }
  const ended = result.then((value: unknown) => {
    span.end();
    return value;
  }, fail);
  // A promise of the same value: T is a promise type here, which TypeScript cannot see.
  return ended as T;
}

export function errorClass(error: unknown): string {
  return error instanceof Error ? (error.constructor?.name ?? "") || error.name : typeof error;
}

function recordFailure(span: Span, error: unknown): void {
  span.recordException(error instanceof Error ? error : errorText(error));
  span.setStatus({ code: SpanStatusCode.ERROR, message: `${errorClass(error)}: ${errorText(error)}` });
}
