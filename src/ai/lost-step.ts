import type { UiPart } from "../teams/internal.ts";
import { asksByRun } from "./agent-tool.ts";
import { failedCall, lastOf, outcomeOf, type ToolGate } from "./gated-tools.ts";
import { closedStep, type OpenStep, type StepCall } from "./history.ts";
import type { AiTool, ModelMessage, ToolModelOutput } from "./sdk.ts";
import { outputOf, type ToldParts } from "./told-parts.ts";

/** The parts of a step that continues at another worker. */
export interface LostStepParts {
  readonly told: ToldParts;
  readonly tools: Readonly<Record<string, AiTool>>;
  readonly repeatable: readonly string[];
  readonly messages: readonly ModelMessage[];
  readonly signal: AbortSignal;
  readonly gate: ToolGate;
  /** Yields what tools tell the reader until a promise settles. */
  readonly partsUntil: (ended: Promise<unknown>) => AsyncGenerator<UiPart, void, undefined>;
}

const unknown = "unknown: The worker was lost while this tool ran. It may have run.";

/**
 * Continues a step whose tool calls were saved when its worker was lost. Results that were saved stay. Returns the messages of the step.
 */
export async function* goOnWithStep(
  open: OpenStep,
  parts: LostStepParts,
): AsyncGenerator<UiPart, readonly ModelMessage[], undefined> {
  const { told, tools, signal } = parts;
  yield* told.callsOf(open.calls);
  const ended = Promise.all(
    open.calls.map((call) => (call.result === undefined ? runAgain(call, parts) : Promise.resolve(call))),
  );
  ended.catch(() => undefined);
  yield* parts.partsUntil(ended);
  const calls = await ended;
  signal.throwIfAborted();
  yield* told.outcomesOf(calls);
  const outputs = new Map<string, ToolModelOutput>();
  for (const call of calls) outputs.set(call.id, await modelOutputOf(call, tools[call.name]));
  return closedStep({ ...open, calls }, unknown, outputs);
}

async function runAgain(call: StepCall, parts: LostStepParts): Promise<StepCall> {
  const { tools, repeatable, messages, signal, gate } = parts;
  const tool = tools[call.name];
  const execute = tool?.execute?.bind(tool);
  const mayRun = tool !== undefined && (repeatable.includes(call.name) || asksByRun(tool));
  if (execute === undefined || !mayRun) return { ...call, result: unknown, failed: true };
  const options = { toolCallId: call.id, messages: [...messages], abortSignal: signal };
  try {
    const output = await outcomeOf(call, async () => lastOf(await execute(call.input as never, options)), gate);
    return { ...call, result: JSON.stringify(output) ?? "null" };
  } catch (error) {
    signal.throwIfAborted();
    return failedCall(call, error);
  }
}

/** Returns what the model reads of a result, as the AI SDK makes it. */
async function modelOutputOf(
  { id: toolCallId, input, result = "null", failed }: StepCall,
  tool: AiTool | undefined,
): Promise<ToolModelOutput> {
  if (failed === true) return { type: "error-text", value: result };
  const output = outputOf(result);
  if (tool?.toModelOutput !== undefined) return tool.toModelOutput({ toolCallId, input, output: output as never });
  // It was parsed from JSON.
  return typeof output === "string"
    ? { type: "text", value: output }
    : ({ type: "json", value: output } as ToolModelOutput);
}
