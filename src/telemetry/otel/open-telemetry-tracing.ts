import {
  type Context,
  createTraceState,
  isSpanContextValid,
  type Link,
  ProxyTracerProvider,
  type SpanContext,
  type Tracer,
  type TracerProvider,
  trace,
} from "@opentelemetry/api";
import {
  assertOptions,
  optionShape,
  type SpanDetails,
  type SpanOperation,
  type TraceCarrier,
  type Tracing,
  text,
  withMethods,
} from "../../core/internal.ts";
import { activeContext, runInSpan } from "./run-in-span.ts";
import { messagingAttributes, spanKind, spanName } from "./span-details.ts";

/** Name of the in-process runtime's tracer, as in AutoGen. */
export const singleThreadedRuntimeTracer = "autogen SingleThreadedAgentRuntime";
/** Name of a worker's tracer, as in AutoGen. */
export const workerRuntimeTracer = "autogen Worker Runtime";

/** Options of `openTelemetryTracing`. */
export interface OpenTelemetryTracingOptions {
  /** Provider of the tracer. Default: the global provider at the time of the call. */
  readonly tracerProvider?: TracerProvider | undefined;
  /** Name of the tracer. Default: `autogen SingleThreadedAgentRuntime`; workers use `autogen Worker Runtime`. */
  readonly tracerName?: string | undefined;
}

const shape = optionShape<OpenTelemetryTracingOptions>({
  tracerProvider: withMethods("a TracerProvider of OpenTelemetry", "getTracer"),
  tracerName: text,
});

// protocol.md §5.10
/**
 * Creates spans as AutoGen's runtimes do. Returns undefined, so that tracing costs nothing, in two cases: no provider
 * is given or registered, or the environment has `AUTOGEN_DISABLE_RUNTIME_TRACING=true`.
 *
 * @example
 * ```ts
 * const runtime = new SingleThreadedAgentRuntime({ tracing: openTelemetryTracing() });
 * ```
 */
export function openTelemetryTracing(options: OpenTelemetryTracingOptions = {}): Tracing | undefined {
  assertOptions(options, shape, "openTelemetryTracing");
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
    const active = activeContext();
    const parent = operation === "process" ? handlerParent(active, linked) : active;
    const span = this.#tracer.startSpan(name, { kind, attributes, links }, parent);
    if (details.attributes !== undefined && span.isRecording()) span.setAttributes(details.attributes());
    return runInSpan(span, body);
  }

  inject(): TraceCarrier {
    return toCarrier(trace.getSpanContext(activeContext()));
  }
}

/**
 * Returns the context whose span is the parent of a handler's span. The active span is, if it belongs to the message's trace.
 * Otherwise the sender's span is, or none. The span of code that has started or loaded the runtime has nothing to do with it.
 */
function handlerParent(active: Context, sender: SpanContext | undefined): Context {
  if (sender === undefined) return trace.deleteSpan(active);
  return trace.getSpanContext(active)?.traceId === sender.traceId ? active : trace.setSpanContext(active, sender);
}

/** Whether this is the API's placeholder provider, with no real one registered. */
function recordsNothing(provider: TracerProvider): boolean {
  return provider instanceof ProxyTracerProvider && provider.getDelegate() === new ProxyTracerProvider().getDelegate();
}

const traceparentPattern = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

// protocol.md §5.10
/** Writes W3C Trace Context whatever propagator is registered, because peers expect it. */
function toCarrier(spanContext: SpanContext | undefined): TraceCarrier {
  if (spanContext === undefined || !isSpanContextValid(spanContext)) return {};
  const flags = (spanContext.traceFlags & 0xff).toString(16).padStart(2, "0");
  const traceparent = `00-${spanContext.traceId}-${spanContext.spanId}-${flags}`;
  const tracestate = spanContext.traceState?.serialize() ?? "";
  return tracestate === "" ? { traceparent } : { traceparent, tracestate };
}

/** Reads W3C Trace Context; undefined if it is missing or invalid (Python sends zeros with events). */
function fromCarrier(carrier: TraceCarrier | undefined): SpanContext | undefined {
  const traceparent = carrier?.traceparent;
  if (carrier === undefined || traceparent === undefined || traceparent.startsWith("ff")) return undefined;
  const [, traceId, spanId, flags] = traceparentPattern.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  const spanContext: SpanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  if (!isSpanContextValid(spanContext)) return undefined;
  const { tracestate } = carrier;
  return tracestate ? { ...spanContext, traceState: createTraceState(tracestate) } : spanContext;
}
