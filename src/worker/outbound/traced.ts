import type { SpanDetails, SpanOperation, Tracing } from "../../core/internal.ts";

/** Runs `body` inside a span, or just runs it where nobody records any. */
export function traced<T>(
  tracing: Tracing | undefined,
  operation: SpanOperation,
  details: SpanDetails,
  body: () => T,
): T {
  return tracing === undefined ? body() : tracing.span(operation, details, body);
}
