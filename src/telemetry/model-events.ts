import type { AgentId } from "../core/internal.ts";

type JsonObject = Readonly<Record<string, unknown>>;

/** A call to a model and its answer (protocol.md §5.11). Further fields are kept, before the others. */
export interface LLMCallEvent {
  readonly type: "LLMCall";
  readonly messages: readonly JsonObject[];
  readonly response: JsonObject;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly agent_id: string | null;
}

/** A model begins to stream. */
export interface LLMStreamStartEvent {
  readonly type: "LLMStreamStart";
  readonly messages: readonly JsonObject[];
  readonly agent_id: string | null;
}

/** A model has streamed to its end. */
export interface LLMStreamEndEvent {
  readonly type: "LLMStreamEnd";
  readonly response: JsonObject;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly agent_id: string | null;
}

/** A tool has been run. */
export interface ToolCallEvent {
  readonly type: "ToolCall";
  readonly tool_name: string;
  readonly arguments: JsonObject;
  readonly result: string;
  readonly agent_id: string | null;
}

export type ModelEvent = LLMCallEvent | LLMStreamStartEvent | LLMStreamEndEvent | ToolCallEvent;

/** What every event of a model or a tool may say besides. */
export interface ModelEventOptions {
  /** The agent on whose behalf it happens: `this.id` in an agent, `MessageHandlerContext.agentId()`. Default: none. */
  readonly agentId?: AgentId | undefined;
  /** Further fields for the log. */
  readonly extra?: JsonObject | undefined;
}

/** Tokens that a call to a model has used. */
export interface TokenUse {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export function llmCallEvent(
  call: ModelEventOptions & TokenUse & { readonly messages: readonly JsonObject[]; readonly response: JsonObject },
): LLMCallEvent {
  return {
    ...call.extra,
    type: "LLMCall",
    messages: call.messages,
    response: call.response,
    prompt_tokens: call.promptTokens,
    completion_tokens: call.completionTokens,
    agent_id: agentText(call),
  };
}

export function llmStreamStartEvent(
  start: ModelEventOptions & { readonly messages: readonly JsonObject[] },
): LLMStreamStartEvent {
  return { ...start.extra, type: "LLMStreamStart", messages: start.messages, agent_id: agentText(start) };
}

export function llmStreamEndEvent(
  end: ModelEventOptions & TokenUse & { readonly response: JsonObject },
): LLMStreamEndEvent {
  return {
    ...end.extra,
    type: "LLMStreamEnd",
    response: end.response,
    prompt_tokens: end.promptTokens,
    completion_tokens: end.completionTokens,
    agent_id: agentText(end),
  };
}

export function toolCallEvent(
  call: Omit<ModelEventOptions, "extra"> & {
    readonly toolName: string;
    readonly arguments: JsonObject;
    readonly result: string;
  },
): ToolCallEvent {
  const { toolName, result } = call;
  return { type: "ToolCall", tool_name: toolName, arguments: call.arguments, result, agent_id: agentText(call) };
}

function agentText({ agentId }: ModelEventOptions): string | null {
  return agentId === undefined ? null : agentId.toString();
}
