import type { FunctionCallFields } from "./function-call.ts";
import type { LLMMessage } from "./llm-messages.ts";
import type { Tool } from "./tool.ts";

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
