import type { StandardSchemaV1 } from "@standard-schema/spec";

/** Options of a tool's run. */
export interface ToolRunOptions {
  /** Aborts when the caller no longer wants the result. */
  readonly signal: AbortSignal;
  /** Id of the function call that the tool runs for. */
  readonly callId: string;
}

/** A tool that a model may request. */
export interface Tool<Arguments = unknown> {
  /** Name that models use; unique within a tool agent. */
  readonly name: string;
  readonly description: string;
  /** Validates the arguments; may be asynchronous. Models get its JSON Schema if the library provides one. */
  readonly schema: StandardSchemaV1<unknown, Arguments>;
  /** Returns or resolves to the result. Text stays as it is; any other value becomes JSON. */
  run(args: Arguments, options: ToolRunOptions): unknown;
}

/**
 * Defines a tool, with the type of its arguments taken from the schema.
 *
 * @example
 * ```ts
 * const weather = defineTool({
 *   name: "weather",
 *   description: "Tells the weather in a city",
 *   schema: z.object({ city: z.string() }),
 *   run: ({ city }) => `It is sunny in ${city}.`,
 * });
 * ```
 */
export function defineTool<Arguments>(tool: Tool<Arguments>): Tool<Arguments> {
  return tool;
}
