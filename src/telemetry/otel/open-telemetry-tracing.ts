import {
  type Context,
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
import { fromCarrier, toCarrier } from "./trace-context.ts";

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
export function recordsNothing(provider: TracerProvider): boolean {
  return provider instanceof ProxyTracerProvider && provider.getDelegate() === new ProxyTracerProvider().getDelegate();
}
