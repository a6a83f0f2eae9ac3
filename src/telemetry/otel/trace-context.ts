import { createTraceState, isSpanContextValid, type SpanContext } from "@opentelemetry/api";
import type { TraceCarrier } from "../../core/internal.ts";

const traceparentPattern = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

// protocol.md §5.10
/** Writes W3C Trace Context whatever propagator is registered, because peers expect it. */
export function toCarrier(spanContext: SpanContext | undefined): TraceCarrier {
  if (spanContext === undefined || !isSpanContextValid(spanContext)) return {};
  const flags = (spanContext.traceFlags & 0xff).toString(16).padStart(2, "0");
  const traceparent = `00-${spanContext.traceId}-${spanContext.spanId}-${flags}`;
  const tracestate = spanContext.traceState?.serialize() ?? "";
  return tracestate === "" ? { traceparent } : { traceparent, tracestate };
}

/** Reads W3C Trace Context; undefined if it is missing or invalid (Python sends zeros with events). */
export function fromCarrier(carrier: TraceCarrier | undefined): SpanContext | undefined {
  const traceparent = carrier?.traceparent;
  if (carrier === undefined || traceparent === undefined || traceparent.startsWith("ff")) return undefined;
  const [, traceId, spanId, flags] = traceparentPattern.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  const spanContext: SpanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  if (!isSpanContextValid(spanContext)) return undefined;
  const { tracestate } = carrier;
  return tracestate ? { ...spanContext, traceState: createTraceState(tracestate) } : spanContext;
}
