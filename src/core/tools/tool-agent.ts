import { handlerTable } from "../agents/handler-table.ts";
import { RoutedAgent } from "../agents/routed-agent.ts";
import { brandClass } from "../copies.ts";
import { errorText } from "../errors.ts";
import { issuesText } from "../serialization/standard-schema.ts";
import { wrongValue } from "../validation/option-values.ts";
import { FunctionCall, FunctionExecutionResult } from "./function-call.ts";
import { assertDistinctNames, assertTool, type Tool, type ToolRunOptions } from "./tool.ts";
import { InvalidToolArgumentsException, ToolExecutionException, ToolNotFoundException } from "./tool-errors.ts";

// protocol.md §5.5
/**
 * Agent that runs tools for other agents. It answers a `FunctionCall` with a `FunctionExecutionResult`, or fails with
 * `ToolNotFoundException`, `InvalidToolArgumentsException` or `ToolExecutionException`.
 */
export class ToolAgent extends RoutedAgent {
  static override readonly handlers = handlerTable<ToolAgent>().message(FunctionCall, function (call, context) {
    return this.#execute(call, context.signal);
  });

  readonly tools: readonly Tool[];

  constructor(description: string, tools: readonly Tool[]) {
    super(description);
    if (!Array.isArray(tools)) throw wrongValue("The tools of a ToolAgent must be a list of tools", tools);
    tools.forEach(assertTool);
    assertDistinctNames(tools, "A ToolAgent");
    this.tools = tools;
  }

  async #execute(call: FunctionCall, signal: AbortSignal): Promise<FunctionExecutionResult> {
    const failure = (content: string) => ({ callId: call.id, content, toolName: call.name });
    const tool = this.tools.find(({ name }) => name === call.name);
    if (tool === undefined) throw new ToolNotFoundException(failure(`Error: Tool not found: ${call.name}`));

    let given: unknown;
    try {
      given = parseArguments(call.arguments);
    } catch (cause) {
      throw new InvalidToolArgumentsException(failure(`Error: Invalid arguments: ${call.arguments}`), { cause });
    }
    try {
      const content = await runTool(tool, given, { signal, callId: call.id });
      return FunctionExecutionResult({ content, call_id: call.id, is_error: false, name: call.name });
    } catch (cause) {
      throw new ToolExecutionException(failure(`Error: ${errorText(cause)}`), { cause });
    }
  }
}
brandClass(ToolAgent, "ToolAgent");

/** Models write no arguments as an empty text, as blanks or as null. Each means that there are none. */
function parseArguments(text: string): unknown {
  return text.trim() === "" ? {} : (JSON.parse(text) ?? {});
}

async function runTool(tool: Tool, given: unknown, options: ToolRunOptions): Promise<string> {
  const checked = await tool.schema["~standard"].validate(given);
  if (checked.issues !== undefined) throw new TypeError(issuesText(checked.issues));
  const result = await tool.run(checked.value, options);
  return typeof result === "string" ? result : (JSON.stringify(result) ?? "");
}
