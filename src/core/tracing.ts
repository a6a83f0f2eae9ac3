import type { AgentId } from "./agents/agent-id.ts";
import type { TopicId } from "./topics/topic-id.ts";

/** The operations of protocol.md §5.10. */
export type SpanOperation = "create" | "send" | "publish" | "intercept" | "process" | "ack";

export interface SpanDetails {
  /** Agent, topic, or the name of an intervention's class; undefined is left out of the span's name. */
  readonly destination?: AgentId | TopicId | string | undefined;
  /** Trace context of the message (`traceparent`, `tracestate`): becomes a link. */
  readonly link?: TraceCarrier | undefined;
  readonly messageType?: string | undefined;
  /** Further attributes, made only when a span is recorded. */
  readonly attributes?: (() => Readonly<Record<string, string>>) | undefined;
}

/** Trace context as it travels: `traceparent` and `tracestate`, in call metadata and CloudEvent attributes. */
export type TraceCarrier = Readonly<Record<string, string>>;

/** How a runtime reports spans. Runtimes hold `Tracing | undefined` and skip everything when it is undefined. */
export interface Tracing {
  /** Runs `body` inside a span that ends when its result (or the promise it returns) settles; a failure is recorded. */
  span<T>(operation: SpanOperation, details: SpanDetails, body: () => T): T;
  /** The active span's context for the wire; empty when there is none. */
  inject(): TraceCarrier;
}
