import {
  createTraceState,
  isSpanContextValid,
  type Link,
  ProxyTracerProvider,
  type SpanContext,
  type Tracer,
  type TracerProvider,
  trace,
} from "@opentelemetry/api";
import type { SpanDetails, SpanOperation, TraceCarrier, Tracing } from "../../core/internal.ts";
import { activeContext, runInSpan } from "./run-in-span.ts";
import { messagingAttributes, spanKind, spanName } from "./span-details.ts";

/** The tracer of the in-process runtime, as AutoGen names it. */
export const singleThreadedRuntimeTracer = "autogen SingleThreadedAgentRuntime";
/** The tracer of a worker. */
export const workerRuntimeTracer = "autogen Worker Runtime";

export interface OpenTelemetryTracingOptions {
  /** Default: the global provider that is registered when this is called. */
  readonly tracerProvider?: TracerProvider | undefined;
  /** Default: `autogen SingleThreadedAgentRuntime`; workers use `autogen Worker Runtime`. */
  readonly tracerName?: string | undefined;
}

/**
 * Spans as AutoGen's runtimes make them (protocol.md §5.10). Undefined, so that a runtime does nothing at all, when no
 * provider is given or registered, or when the environment says `AUTOGEN_DISABLE_RUNTIME_TRACING=true`.
 */
export function openTelemetryTracing(options: OpenTelemetryTracingOptions = {}): Tracing | undefined {
  if (process.env.AUTOGEN_DISABLE_RUNTIME_TRACING === "true") return undefined;
  const provider = options.tracerProvider ?? trace.getTracerProvider();
  if (recordsNothing(provider)) return undefined;
  return new OpenTelemetryTracing(provider.getTracer(options.tracerName ?? singleThreadedRuntimeTracer));
}

class OpenTelemetryTracing implements Tracing {
  readonly #tracer: Tracer;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  span<T>(operation: SpanOperation, details: SpanDetails, body: () => T): T {
    const linked = fromCarrier(details.link);
    const links: Link[] = linked === undefined ? [] : [{ context: linked }];
    const kind = spanKind(operation);
    const attributes = messagingAttributes(operation, details);
    const name = spanName(operation, details.destination);
    const span = this.#tracer.startSpan(name, { kind, attributes, links }, activeContext());
    if (details.attributes !== undefined && span.isRecording()) span.setAttributes(details.attributes());
    return runInSpan(span, body);
  }

  inject(): TraceCarrier {
    return toCarrier(trace.getSpanContext(activeContext()));
  }
}

/** The API's own provider that nobody has registered a real one behind. */
function recordsNothing(provider: TracerProvider): boolean {
  return provider instanceof ProxyTracerProvider && provider.getDelegate() === new ProxyTracerProvider().getDelegate();
}

const traceparentPattern = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

/** W3C Trace Context, whatever propagator is registered: peers expect it on the wire (protocol.md §5.10). */
export function toCarrier(spanContext: SpanContext | undefined): TraceCarrier {
  if (spanContext === undefined || !isSpanContextValid(spanContext)) return {};
  const flags = (spanContext.traceFlags & 0xff).toString(16).padStart(2, "0");
  const traceparent = `00-${spanContext.traceId}-${spanContext.spanId}-${flags}`;
  const tracestate = spanContext.traceState?.serialize() ?? "";
  return tracestate === "" ? { traceparent } : { traceparent, tracestate };
}

/** Undefined when there is none, or none that is valid (all zeros, as Python sends for events). */
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
