import type { AgentId } from "../agents/agent-id.ts";
import type { ClosureContext } from "../agents/closure-agent.ts";
import {
  FunctionCall,
  type FunctionCallFields,
  FunctionExecutionResult,
  type FunctionExecutionResultFields,
} from "./function-call.ts";
import { AssistantMessage, FunctionExecutionResultMessage, type LLMMessage } from "./llm-messages.ts";
import type { Tool } from "./tool.ts";
import { ToolException } from "./tool-errors.ts";

/** A tool as a model is told of it, where its schema library gives no JSON Schema by itself. */
export interface ToolSchema {
  readonly name: string;
  readonly description?: string | undefined;
  /** A JSON Schema of the arguments. */
  readonly parameters?: { readonly [keyword: string]: unknown } | undefined;
  readonly strict?: boolean | undefined;
}

export interface CompletionOptions {
  readonly tools?: readonly (Tool | ToolSchema)[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A model's reply. */
export interface Completion {
  /** Text, or the tools it wants to run. */
  readonly content: string | readonly FunctionCallFields[];
  /** Its reasoning, where it gives one. */
  readonly thought?: string | null | undefined;
}

/** A model that can be asked. A port: wrap the client of any provider. */
export interface ChatCompletionClient {
  create(messages: readonly LLMMessage[], options: CompletionOptions): Promise<Completion>;
}

export interface ToolAgentCallerLoopOptions {
  readonly toolAgentId: AgentId;
  readonly modelClient: ChatCompletionClient;
  /** The conversation so far. */
  readonly inputMessages: readonly LLMMessage[];
  /** What the model may ask to run. */
  readonly tools: readonly (Tool | ToolSchema)[];
  readonly signal?: AbortSignal | undefined;
  /** Named as the source of the model's messages. Default: `assistant`. */
  readonly callerSource?: string | undefined;
}

/**
 * Asks a model, runs the tools it wants at a tool agent (all at once), tells it the results, and so on until it replies
 * with text. Resolves to the messages that came of it. A tool's failure is told to the model; any other failure rejects
 * (protocol.md §5.5). The caller is an agent or a runtime.
 */
export async function toolAgentCallerLoop(
  caller: Pick<ClosureContext, "sendMessage">,
  options: ToolAgentCallerLoopOptions,
): Promise<readonly LLMMessage[]> {
  const { toolAgentId, modelClient, inputMessages, tools, signal, callerSource = "assistant" } = options;
  const generated: LLMMessage[] = [];

  const askModel = async () => {
    const { content, thought = null } = await modelClient.create([...inputMessages, ...generated], { tools, signal });
    generated.push(AssistantMessage({ content, thought, source: callerSource }));
    return content;
  };
  const runTool = (call: FunctionCall): Promise<FunctionExecutionResultFields> =>
    caller.sendMessage(call, toolAgentId, { signal }).catch(toolFailureAsResult);

  let content = await askModel();
  while (typeof content !== "string" && content.length > 0) {
    // All of them end before a failure is passed on, so that none is left running unseen.
    const settled = await Promise.allSettled(content.map((call) => runTool(FunctionCall(call))));
    const results = settled.map((outcome) => {
      if (outcome.status === "rejected") throw outcome.reason;
      return outcome.value;
    });
    generated.push(FunctionExecutionResultMessage({ content: results }));
    content = await askModel();
  }
  return generated;
}

function toolFailureAsResult(thrown: unknown): FunctionExecutionResult {
  if (!(thrown instanceof ToolException)) throw thrown;
  const { content, callId, toolName } = thrown;
  return FunctionExecutionResult({
    content: content.startsWith("Error: ") ? content : `Error: ${content}`,
    call_id: callId,
    is_error: true,
    name: toolName,
  });
}
