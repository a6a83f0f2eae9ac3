import type { SpanDetails, SpanOperation, Tracing } from "../../core/internal.ts";

/** Runs `body` inside a span, or without one if tracing is off. */
export function traced<T>(
  tracing: Tracing | undefined,
  operation: SpanOperation,
  details: SpanDetails,
  body: () => T,
): T {
  return tracing === undefined ? body() : tracing.span(operation, details, body);
}
