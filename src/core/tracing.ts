import type { AgentId } from "./agents/agent-id.ts";
import type { TopicId } from "./topics/topic-id.ts";

// protocol.md §5.10
/** Operations that have spans. */
export type SpanOperation = "create" | "send" | "publish" | "intercept" | "process" | "ack";

/** Details of a span. */
export interface SpanDetails {
  /** Agent, topic, or class name of an intervention. Undefined: not part of the span's name. */
  readonly destination?: AgentId | TopicId | string | undefined;
  /** Trace context of the message (`traceparent`, `tracestate`); becomes a link. */
  readonly link?: TraceCarrier | undefined;
  readonly messageType?: string | undefined;
  /** Further attributes, created only when a span is recorded. */
  readonly attributes?: (() => Readonly<Record<string, string>>) | undefined;
}

/** Trace context in call metadata and CloudEvent attributes: `traceparent` and `tracestate`. */
export type TraceCarrier = Readonly<Record<string, string>>;

/** Creates the spans of a runtime. A runtime without one holds undefined and skips all tracing. */
export interface Tracing {
  /** Runs `body` in a span that ends when its result or promise settles; records a failure. */
  span<T>(operation: SpanOperation, details: SpanDetails, body: () => T): T;
  /** Returns the context of the active span for the wire; empty if there is none. */
  inject(): TraceCarrier;
}

/** A span that ends later than the code that begins it. */
export interface OpenSpan {
  /** Begins a span inside this one. */
  begin(name: string): OpenSpan;
  /** Adds attributes. */
  note(attributes: Readonly<Record<string, string | number>>): void;
  /** Ends the span. `error`: what has failed. */
  end(error?: string): void;
}

/**
 * Makes the spans of a host: `openTelemetryHostTracing` of `troupe/telemetry/otel` makes one. A host continues the traces of its workers
 * and begins none.
 */
export interface HostTracing {
  /** Begins a span in the trace of a message. Undefined: the message has no trace context, or its sender records nothing. */
  begin(name: string, message: TraceCarrier): OpenSpan | undefined;
}
