import type { StandardSchemaV1 } from "@standard-schema/spec";
import { TroupeError } from "../errors.ts";
import { assertSchema } from "../serialization/standard-schema.ts";
import { assertFunction, assertObject, assertText } from "../validation/assert-arguments.ts";

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
  /** Validates the arguments; may be asynchronous. The client of a model makes its JSON Schema with the schema library. */
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
  assertTool(tool);
  return tool;
}

/** Throws `invalid-argument` when two tools have one name: the model could only ever reach the first. */
export function assertDistinctNames(tools: readonly { readonly name?: string }[], whose: string): void {
  const names = new Set<string>();
  for (const { name } of tools) {
    if (typeof name === "string" && names.has(name)) {
      const text = `${whose} has two tools named ${JSON.stringify(name)}. Each tool needs a name of its own.`;
      throw new TroupeError("invalid-argument", text);
    }
    if (name !== undefined) names.add(name);
  }
}

/** Throws `invalid-argument` for a value that is not a tool. */
export function assertTool(tool: unknown): void {
  assertObject(tool, "A tool, { name, description, schema, run },");
  const { name, description, schema, run }: Partial<Record<keyof Tool, unknown>> = tool;
  assertText(name, "The name of a tool");
  assertText(description, `The description of the tool ${name}`);
  assertSchema(schema, `the tool ${name}`);
  assertFunction(run, `The run of the tool ${name}`);
}
