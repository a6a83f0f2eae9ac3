/**
 * OpenTelemetry spans as AutoGen's runtimes make them, spans for agents and tools, and metrics of hosts and workers. Your program installs and
 * registers the OpenTelemetry SDK; Troupe needs only its API.
 *
 * @example
 * ```ts
 * import { SingleThreadedAgentRuntime } from "troupe";
 * import { openTelemetryTracing } from "troupe/telemetry/otel";
 *
 * const runtime = new SingleThreadedAgentRuntime({ tracing: openTelemetryTracing() });
 * ```
 *
 * @packageDocumentation
 */

export {
  type AgentSpanOptions,
  type GenAiSpanOptions,
  type ToolSpanOptions,
  traceCreateAgentSpan,
  traceInvokeAgentSpan,
  traceToolSpan,
} from "./gen-ai-spans.ts";
export {
  hostTracer,
  type OpenTelemetryHostTracingOptions,
  openTelemetryHostTracing,
} from "./open-telemetry-host-tracing.ts";
export { type OpenTelemetryMetricsOptions, openTelemetryMetrics } from "./open-telemetry-metrics.ts";
export {
  type OpenTelemetryTracingOptions,
  openTelemetryTracing,
  singleThreadedRuntimeTracer,
  workerRuntimeTracer,
} from "./open-telemetry-tracing.ts";
