import { errorText } from "../core/internal.ts";
import type { StepCall } from "./history.ts";
import type { AiTool, ToolSet } from "./sdk.ts";

/** The turn in which tools run, as they see it. */
export interface ToolGate {
  /** A tool is called. It runs when the model has ended its step. */
  called(call: StepCall): void;
  /** Saves a tool call of the step that runs, or its result. Rejects when the turn has ended or the state can't be written. */
  save(call: StepCall): Promise<void>;
}

type InputAvailable = Parameters<NonNullable<AiTool["onInputAvailable"]>>[0];
type Execute = NonNullable<AiTool["execute"]>;

/** Returns an agent's tools, each of which runs only when its call is saved. Its result is saved, too. */
export function gatedTools(tools: object, gate: ToolGate): ToolSet {
  const gated: ToolSet = {};
  for (const [name, tool] of Object.entries<AiTool>({ ...tools })) {
    const { execute, onInputAvailable } = tool;
    gated[name] =
      execute === undefined
        ? tool
        : {
            ...tool,
            execute: gatedRun(name, execute.bind(tool), gate),
            onInputAvailable: async (options: InputAvailable) => {
              gate.called({ id: options.toolCallId, name, input: options.input });
              await onInputAvailable?.call(tool, options);
            },
          };
  }
  return gated;
}

function gatedRun(name: string, execute: Execute, gate: ToolGate): Execute {
  if (Object.prototype.toString.call(execute) === "[object AsyncGeneratorFunction]")
    return gatedYielding(name, execute, gate);
  return async (input: unknown, options: Parameters<Execute>[1]): Promise<unknown> => {
    const call = { id: options.toolCallId, name, input };
    await gate.save(call);
    return outcomeOf(call, async () => lastOf(await execute(input as never, options)), gate);
  };
}

/** Runs a tool whose call is saved, and saves its outcome. */
export async function outcomeOf(call: StepCall, run: () => Promise<unknown>, gate: ToolGate): Promise<unknown> {
  let output: unknown;
  try {
    output = await run();
  } catch (error) {
    await gate.save(failedCall(call, error)).catch(() => undefined);
    throw error;
  }
  await gate.save({ ...call, result: JSON.stringify(output) ?? "null" });
  return output;
}

/** Like `gatedRun`, for a tool that yields: the reader sees each value, and the model the last one. */
function gatedYielding(name: string, execute: Execute, gate: ToolGate): Execute {
  return async function* (input: unknown, options: Parameters<Execute>[1]): AsyncGenerator<unknown, void, undefined> {
    const call = { id: options.toolCallId, name, input };
    await gate.save(call);
    let last: unknown;
    try {
      // TypeScript can't see that an async generator function returns a stream of values.
      for await (const value of execute(input as never, options) as AsyncIterable<unknown>) {
        last = value;
        yield value;
      }
    } catch (error) {
      await gate.save(failedCall(call, error)).catch(() => undefined);
      throw error;
    }
    await gate.save({ ...call, result: JSON.stringify(last) ?? "null" });
  };
}

/** Returns the call of a tool that has thrown, as it is saved. */
export function failedCall(call: StepCall, error: unknown): StepCall {
  return { ...call, result: `The tool failed: ${errorText(error)}`, failed: true };
}

/** Returns the last value of a tool that yields, or the value of any other. */
export async function lastOf(output: unknown): Promise<unknown> {
  if (typeof output !== "object" || output === null || !(Symbol.asyncIterator in output)) return output;
  let last: unknown;
  // A tool of the AI SDK returns one value, or a stream of values.
  for await (const value of output as AsyncIterable<unknown>) last = value;
  return last;
}
