import {
  type AgentId,
  agentId,
  assertObject,
  assertOptions,
  fields,
  listOf,
  number,
  optionShape,
  text,
} from "../core/internal.ts";

type JsonObject = Readonly<Record<string, unknown>>;

// protocol.md §5.11
/** Record of a model call and its answer. Further fields precede the known ones. */
export interface LLMCallEvent {
  readonly type: "LLMCall";
  readonly messages: readonly JsonObject[];
  readonly response: JsonObject;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly agent_id: string | null;
}

/** Record of the start of a model's stream. */
export interface LLMStreamStartEvent {
  readonly type: "LLMStreamStart";
  readonly messages: readonly JsonObject[];
  readonly agent_id: string | null;
}

/** Record of the end of a model's stream. */
export interface LLMStreamEndEvent {
  readonly type: "LLMStreamEnd";
  readonly response: JsonObject;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly agent_id: string | null;
}

/** Record of a tool's run. */
export interface ToolCallEvent {
  readonly type: "ToolCall";
  readonly tool_name: string;
  readonly arguments: JsonObject;
  readonly result: string;
  readonly agent_id: string | null;
}

/** A record of a model client or a tool. */
export type ModelRecord = LLMCallEvent | LLMStreamStartEvent | LLMStreamEndEvent | ToolCallEvent;

/** Fields that every record of a model or a tool may have. */
export interface ModelRecordOptions {
  /** Agent that made the call: `this.id` in an agent, or `MessageHandlerContext.agentId()`. Default: none. */
  readonly agentId?: AgentId | undefined;
  /** Further fields of the record. */
  readonly extra?: JsonObject | undefined;
}

/** Tokens that a call to a model has used. */
export interface TokenUse {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

const recordKinds = { agentId, extra: fields };
const tokens = number({ from: 0 });
const messages = listOf(fields);
const shapes = {
  llmCallEvent: optionShape<Parameters<typeof llmCallEvent>[0]>({
    ...recordKinds,
    ...{ messages, response: fields, promptTokens: tokens, completionTokens: tokens },
  }),
  llmStreamStartEvent: optionShape<Parameters<typeof llmStreamStartEvent>[0]>({ ...recordKinds, messages }),
  llmStreamEndEvent: optionShape<Parameters<typeof llmStreamEndEvent>[0]>({
    ...recordKinds,
    ...{ response: fields, promptTokens: tokens, completionTokens: tokens },
  }),
  toolCallEvent: optionShape<Parameters<typeof toolCallEvent>[0]>({
    agentId,
    ...{ toolName: text, arguments: fields, result: text },
  }),
};

/** Creates the record of a model call. */
export function llmCallEvent(
  call: ModelRecordOptions & TokenUse & { readonly messages: readonly JsonObject[]; readonly response: JsonObject },
): LLMCallEvent {
  assertRecord(call, "llmCallEvent");
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

/** Creates the record of the start of a model's stream. */
export function llmStreamStartEvent(
  start: ModelRecordOptions & { readonly messages: readonly JsonObject[] },
): LLMStreamStartEvent {
  assertRecord(start, "llmStreamStartEvent");
  return { ...start.extra, type: "LLMStreamStart", messages: start.messages, agent_id: agentText(start) };
}

/** Creates the record of the end of a model's stream. */
export function llmStreamEndEvent(
  end: ModelRecordOptions & TokenUse & { readonly response: JsonObject },
): LLMStreamEndEvent {
  assertRecord(end, "llmStreamEndEvent");
  return {
    ...end.extra,
    type: "LLMStreamEnd",
    response: end.response,
    prompt_tokens: end.promptTokens,
    completion_tokens: end.completionTokens,
    agent_id: agentText(end),
  };
}

/**
 * Creates the record of a tool's run.
 *
 * @example
 * ```ts
 * const messageLog = jsonMessageLog((line) => console.log(line));
 * messageLog.emit(toolCallEvent({ toolName: "weather", arguments: { city: "Lisbon" }, result: "sunny" }));
 * ```
 */
export function toolCallEvent(
  call: Omit<ModelRecordOptions, "extra"> & {
    readonly toolName: string;
    readonly arguments: JsonObject;
    readonly result: string;
  },
): ToolCallEvent {
  assertRecord(call, "toolCallEvent");
  const { toolName, result } = call;
  return { type: "ToolCall", tool_name: toolName, arguments: call.arguments, result, agent_id: agentText(call) };
}

function assertRecord(given: unknown, maker: keyof typeof shapes): void {
  assertObject(given, `The argument of ${maker}`);
  assertOptions(given, shapes[maker], maker);
}

function agentText({ agentId }: ModelRecordOptions): string | null {
  return agentId === undefined ? null : agentId.toString();
}
