import type { StandardSchemaV1 } from "@standard-schema/spec";

export interface ToolRunOptions {
  /** Aborts when the result is no longer wanted. */
  readonly signal: AbortSignal;
  /** The id of the function call it runs for. */
  readonly callId: string;
}

/** Something a model may ask to run. */
export interface Tool<Arguments = unknown> {
  /** What models call it by; unique in a tool agent. */
  readonly name: string;
  readonly description: string;
  /** Checks the arguments, and tells models which there are where the library can give a JSON Schema. May be asynchronous. */
  readonly schema: StandardSchemaV1<unknown, Arguments>;
  /** Returns or resolves to the result: text as it is, everything else is told to the model as JSON. */
  run(args: Arguments, options: ToolRunOptions): unknown;
}

/** A tool whose arguments' type is taken from its schema: `defineTool({ name, description, schema, run: ({ city }) => … })`. */
export function defineTool<Arguments>(tool: Tool<Arguments>): Tool<Arguments> {
  return tool;
}
