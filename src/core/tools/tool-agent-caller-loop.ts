import type { AgentId } from "../agents/agent-id.ts";
import type { ClosureContext } from "../agents/closure-agent.ts";
import { TroupeError } from "../errors.ts";
import { assertAgentId, assertArgument, assertObject } from "../validation/assert-arguments.ts";
import { assertOptions, optionShape } from "../validation/assert-options.ts";
import {
  agentId,
  fields,
  listOf,
  number,
  signal as signalKind,
  text,
  withMethods,
} from "../validation/option-kinds.ts";
import { someRoom } from "../validation/option-values.ts";
import {
  FunctionCall,
  type FunctionCallFields,
  FunctionExecutionResult,
  type FunctionExecutionResultFields,
} from "./function-call.ts";
import { AssistantMessage, FunctionExecutionResultMessage, type LLMMessage } from "./llm-messages.ts";
import { assertDistinctNames, type Tool } from "./tool.ts";
import { ToolException } from "./tool-errors.ts";

/** Characters that an error shows of the names of tools. */
const longestNames = 200;

/** A tool's description for a model, for schema libraries that give no JSON Schema. */
export interface ToolSchema {
  readonly name: string;
  readonly description?: string | undefined;
  /** JSON Schema of the arguments. */
  readonly parameters?: { readonly [keyword: string]: unknown } | undefined;
  readonly strict?: boolean | undefined;
}

/** Options of a request to a model. */
export interface CompletionOptions {
  readonly tools?: readonly (Tool | ToolSchema)[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A model's reply. */
export interface Completion {
  /** Text, or the tools that the model requests. */
  readonly content: string | readonly FunctionCallFields[];
  /** The model's reasoning, if it gives one. */
  readonly thought?: string | null | undefined;
}

/** Port for a model. Wrap the client of any provider in it. */
export interface ChatCompletionClient {
  create(messages: readonly LLMMessage[], options: CompletionOptions): Promise<Completion>;
}

/** Options of `toolAgentCallerLoop`. */
export interface ToolAgentCallerLoopOptions {
  readonly toolAgentId: AgentId;
  readonly modelClient: ChatCompletionClient;
  /** The conversation so far. */
  readonly inputMessages: readonly LLMMessage[];
  /** Tools that the model may request. */
  readonly tools: readonly (Tool | ToolSchema)[];
  readonly signal?: AbortSignal | undefined;
  /** Source of the model's messages. Default: `assistant`. */
  readonly callerSource?: string | undefined;
  /**
   * Number of times that the model may request tools before it must reply with text; at least 1. Beyond it the loop rejects with
   * `overloaded`. Default: 32.
   */
  readonly maxRounds?: number | undefined;
}

const callerKind = withMethods("an agent or a runtime", "sendMessage");
const modelKind = withMethods("a model client", "create");
const shape = optionShape<ToolAgentCallerLoopOptions>({
  toolAgentId: agentId,
  modelClient: modelKind,
  inputMessages: listOf(fields),
  tools: listOf(fields),
  signal: signalKind,
  callerSource: text,
  maxRounds: number(someRoom),
});

// protocol.md §5.5
/**
 * Asks a model and runs the tools that it requests at a tool agent, until it replies with text. Tools of one reply run
 * concurrently. Resolves to the messages that this produced. The model is told of a tool's failure; any other failure
 * rejects. It rejects with `overloaded`, too, when the model requests tools more than `maxRounds` times. `caller` is an agent or a
 * runtime.
 */
export async function toolAgentCallerLoop(
  caller: Pick<ClosureContext, "sendMessage">,
  options: ToolAgentCallerLoopOptions,
): Promise<readonly LLMMessage[]> {
  assertArgument(caller, "The caller of toolAgentCallerLoop", callerKind);
  assertObject(options, "The options of toolAgentCallerLoop");
  assertOptions(options, shape, "toolAgentCallerLoop");
  assertAgentId(options.toolAgentId, "toolAgentId");
  assertArgument(options.modelClient, "The modelClient", modelKind);
  assertArgument(options.inputMessages, "The inputMessages", listOf(fields));
  assertArgument(options.tools, "The tools", listOf(fields));
  assertDistinctNames(options.tools, "The list of tools");
  const {
    toolAgentId,
    modelClient,
    inputMessages,
    tools,
    signal,
    callerSource = "assistant",
    maxRounds = 32,
  } = options;
  const generated: LLMMessage[] = [];

  const askModel = async () => {
    const { content, thought = null } = await modelClient.create([...inputMessages, ...generated], { tools, signal });
    generated.push(AssistantMessage({ content, thought, source: callerSource }));
    return content;
  };
  const runTool = (call: FunctionCall): Promise<FunctionExecutionResultFields> =>
    caller.sendMessage(call, toolAgentId, { signal }).catch(toolFailureAsResult);

  let content = await askModel();
  for (let round = 1; typeof content !== "string" && content.length > 0; round += 1) {
    if (round > maxRounds) throw tooManyRounds(maxRounds, content);
    // All calls end before a failure is thrown, so that none is left running.
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

function tooManyRounds(maxRounds: number, content: readonly FunctionCallFields[]): TroupeError {
  const names = [...new Set(content.map(({ name }) => name))].join(", ").slice(0, longestNames);
  const advice = "Tell the model when to stop, or give the loop a larger maxRounds.";
  const text = `The model has requested tools in ${maxRounds} rounds and now requests ${names} instead of replying with text.`;
  return new TroupeError("overloaded", `${text} ${advice}`);
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
