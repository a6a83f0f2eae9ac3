import { type Attributes, type Span, SpanKind, type Tracer, trace } from "@opentelemetry/api";
import { assertFunction, assertOptions, assertText, optionShape, text, withMethods } from "../../core/internal.ts";
import { activeContext, errorClass, runInSpan } from "./run-in-span.ts";

/** Options of every span of an agent or a tool. */
export interface GenAiSpanOptions {
  /** Tracer of the span. Default: `autogen-core` of the global provider. */
  readonly tracer?: Tracer | undefined;
  /** Parent of the span. Default: the active span. */
  readonly parent?: Span | undefined;
}

/** Options of `traceToolSpan`. Description and call id become attributes of the span. */
export interface ToolSpanOptions extends GenAiSpanOptions {
  readonly toolDescription?: string | undefined;
  readonly toolCallId?: string | undefined;
}

/** Options of `traceCreateAgentSpan` and `traceInvokeAgentSpan`. Id and description become attributes of the span. */
export interface AgentSpanOptions extends GenAiSpanOptions {
  readonly agentId?: string | undefined;
  readonly agentDescription?: string | undefined;
}

const spanKinds = {
  tracer: withMethods("a Tracer of OpenTelemetry", "startSpan"),
  parent: withMethods("a Span of OpenTelemetry", "spanContext", "end"),
};
const toolShape = optionShape<ToolSpanOptions>({ ...spanKinds, toolDescription: text, toolCallId: text });
const agentShape = optionShape<AgentSpanOptions>({ ...spanKinds, agentId: text, agentDescription: text });

// protocol.md §5.10
/** Runs a tool in a span `execute_tool {tool}`, after OpenTelemetry's conventions for generative AI. */
export function traceToolSpan<T>(toolName: string, options: ToolSpanOptions, body: (span: Span) => T): T {
  assertText(toolName, "The name of a tool");
  assertOptions(options, toolShape, "traceToolSpan");
  assertFunction(body, "The body of a span");
  const attributes = {
    "gen_ai.tool.name": toolName,
    "gen_ai.tool.description": options.toolDescription,
    "gen_ai.tool.call.id": options.toolCallId,
  };
  return genAiSpan(
    { operation: "execute_tool", subject: toolName, kind: SpanKind.INTERNAL, attributes },
    options,
    body,
  );
}

/** Creates an agent in a span `create_agent {name}`. */
export function traceCreateAgentSpan<T>(agentName: string, options: AgentSpanOptions, body: (span: Span) => T): T {
  return agentSpan("create_agent", agentName, options, body);
}

/** Invokes an agent in a span `invoke_agent {name}`. */
export function traceInvokeAgentSpan<T>(agentName: string, options: AgentSpanOptions, body: (span: Span) => T): T {
  return agentSpan("invoke_agent", agentName, options, body);
}

function agentSpan<T>(operation: string, agentName: string, options: AgentSpanOptions, body: (span: Span) => T): T {
  assertText(agentName, "The name of an agent");
  assertOptions(options, agentShape, operation === "create_agent" ? "traceCreateAgentSpan" : "traceInvokeAgentSpan");
  assertFunction(body, "The body of a span");
  const attributes = {
    "gen_ai.agent.name": agentName,
    "gen_ai.agent.id": options.agentId,
    "gen_ai.agent.description": options.agentDescription,
  };
  return genAiSpan({ operation, subject: agentName, kind: SpanKind.CLIENT, attributes }, options, body);
}

interface GenAiSpan {
  readonly operation: string;
  readonly subject: string;
  readonly kind: SpanKind;
  /** Undefined values are left out. */
  readonly attributes: Attributes;
}

function genAiSpan<T>(details: GenAiSpan, options: GenAiSpanOptions, body: (span: Span) => T): T {
  const { operation, subject, kind, attributes } = details;
  const { tracer = trace.getTracer("autogen-core"), parent } = options;
  const active = activeContext();
  const known = Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
  const span = tracer.startSpan(
    `${operation} ${subject}`,
    { kind, attributes: { "gen_ai.operation.name": operation, "gen_ai.system": "autogen", ...known } },
    parent === undefined ? active : trace.setSpan(active, parent),
  );
  return runInSpan(
    span,
    () => body(span),
    (error) => span.setAttribute("error.type", errorClass(error)),
  );
}
