export {
  type AgentSpanOptions,
  type GenAiSpanOptions,
  type ToolSpanOptions,
  traceCreateAgentSpan,
  traceInvokeAgentSpan,
  traceToolSpan,
} from "./gen-ai-spans.ts";
export {
  type OpenTelemetryTracingOptions,
  openTelemetryTracing,
  singleThreadedRuntimeTracer,
  workerRuntimeTracer,
} from "./open-telemetry-tracing.ts";
