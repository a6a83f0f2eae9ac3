import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  type TracerProvider,
  trace,
} from "@opentelemetry/api";
import {
  assertOptions,
  type HostTracing,
  type OpenSpan,
  optionShape,
  type TraceCarrier,
  withMethods,
} from "../../core/internal.ts";
import { recordsNothing } from "./open-telemetry-tracing.ts";
import { fromCarrier } from "./trace-context.ts";

/** Name of a host's tracer. */
export const hostTracer = "troupe host";

/** Options of `openTelemetryHostTracing`. */
export interface OpenTelemetryHostTracingOptions {
  /** Provider of the tracer. Default: the global provider at the time of the call. */
  readonly tracerProvider?: TracerProvider | undefined;
}

const shape = optionShape<OpenTelemetryHostTracingOptions>({
  tracerProvider: withMethods("a TracerProvider of OpenTelemetry", "getTracer"),
});

/**
 * Creates the spans of a host: how a call or an event was received, routed or placed, queued and delivered. They belong to the traces of the senders. A
 * message without a trace context, or whose sender does not record its trace, gets none. Returns undefined, so that tracing costs nothing, if no provider is
 * given or registered, or the environment has `AUTOGEN_DISABLE_RUNTIME_TRACING=true`.
 *
 * @example
 * ```ts
 * const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:50051", { tracing: openTelemetryHostTracing() });
 * ```
 */
export function openTelemetryHostTracing(options: OpenTelemetryHostTracingOptions = {}): HostTracing | undefined {
  assertOptions(options, shape, "openTelemetryHostTracing");
  if (process.env.AUTOGEN_DISABLE_RUNTIME_TRACING === "true") return undefined;
  const provider = options.tracerProvider ?? trace.getTracerProvider();
  if (recordsNothing(provider)) return undefined;
  const tracer = provider.getTracer(hostTracer);
  return {
    begin: (name: string, message: TraceCarrier) => {
      const sender = fromCarrier(message);
      // Most messages of a sampled system end here.
      if (sender === undefined || (sender.traceFlags & TraceFlags.SAMPLED) === 0) return undefined;
      return open(tracer, name, trace.setSpanContext(ROOT_CONTEXT, sender));
    },
  };
}

function open(tracer: Tracer, name: string, parent: Context): OpenSpan | undefined {
  const span = tracer.startSpan(name, {}, parent);
  return span.isRecording() ? new HostSpan(tracer, span, parent) : undefined;
}

class HostSpan implements OpenSpan {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #inside: Context;

  constructor(tracer: Tracer, span: Span, parent: Context) {
    this.#tracer = tracer;
    this.#span = span;
    this.#inside = trace.setSpan(parent, span);
  }

  begin(name: string): OpenSpan {
    return new HostSpan(this.#tracer, this.#tracer.startSpan(name, {}, this.#inside), this.#inside);
  }

  note(attributes: Readonly<Record<string, string | number>>): void {
    this.#span.setAttributes(attributes);
  }

  end(error?: string): void {
    if (error !== undefined) this.#span.setStatus({ code: SpanStatusCode.ERROR, message: error });
    this.#span.end();
  }
}
