// The only file that imports values of the AI SDK: all that a new major version of it changes is here.
import {
  generateText,
  jsonSchema,
  type LanguageModel,
  type ModelMessage,
  ToolLoopAgent,
  type ToolLoopAgentSettings,
  type ToolSet,
} from "ai";
import { TroupeError } from "../core/internal.ts";

export type { LanguageModel, ModelMessage, ToolSet };

/** A model that is an object, such as a provider or a test makes it. */
export type ModelObject = Extract<LanguageModel, { readonly specificationVersion: "v3" }>;

/** A tool that an AI SDK agent or model can be given. */
export type AiTool = ToolSet[string];

/** A tool result as a model reads it. */
export type ToolModelOutput = Awaited<ReturnType<NonNullable<AiTool["toModelOutput"]>>>;

/** Settings of an AI SDK `ToolLoopAgent`. */
export type ThinkingSettings = ToolLoopAgentSettings<never, ToolSet>;

/** The names of all settings. A newer version of the AI SDK may take others, too. */
const settings: { readonly [Name in keyof Required<ThinkingSettings>]: true } = {
  ...{ id: true, instructions: true, allowSystemInMessages: true, model: true, tools: true, toolChoice: true },
  ...{ stopWhen: true, experimental_telemetry: true, activeTools: true, output: true, prepareStep: true },
  ...{ experimental_repairToolCall: true, experimental_onStart: true, experimental_onStepStart: true },
  ...{ experimental_onToolCallStart: true, experimental_onToolCallFinish: true, onStepFinish: true, onFinish: true },
  ...{ experimental_toolApprovalSecret: true, providerOptions: true, experimental_context: true },
  ...{ experimental_download: true, callOptionsSchema: true, prepareCall: true, maxOutputTokens: true },
  ...{ temperature: true, topP: true, topK: true, presencePenalty: true, frequencyPenalty: true },
  ...{ stopSequences: true, seed: true, maxRetries: true, timeout: true, headers: true },
};

/** Names of the settings of a `ToolLoopAgent`. */
export const settingNames: readonly string[] = Object.keys(settings);

/** Throws `invalid-argument` for a value that can't be a model. */
export function assertModel(value: unknown, taker: string): void {
  if (typeof value === "string" ? value !== "" : typeof value === "object" && value !== null) return;
  const text = `${taker} needs a model: one of a provider, such as openai("gpt-5"), or the name of a model of the AI SDK's gateway.`;
  throw new TroupeError("invalid-argument", text);
}

/** A step that an agent of the AI SDK has finished: one call of the model, and the tools that it called. */
export interface FinishedStep {
  readonly text: string;
  readonly finishReason: string;
  readonly usage: { readonly inputTokens: number | undefined; readonly outputTokens: number | undefined };
  readonly model: { readonly provider: string; readonly modelId: string };
  /** With version 6 the messages of all steps so far, with version 7 those of this step. */
  readonly response: { readonly messages: readonly ModelMessage[] };
}

/** Returns the messages of all steps of a stream, from those before a step and the messages that the step has. */
export function messagesSoFar(
  before: readonly ModelMessage[],
  messages: readonly ModelMessage[],
): readonly ModelMessage[] {
  const [first] = before;
  const hasAll = first !== undefined && JSON.stringify(first) === JSON.stringify(messages[0]);
  return hasAll ? messages : [...before, ...messages];
}

/** The stream that an agent of the AI SDK answers with. */
export interface ThinkingStream {
  toUIMessageStream(options: {
    sendStart?: boolean;
    sendFinish?: boolean;
    onError?: (error: unknown) => string;
  }): ReadableStream<object>;
}

/** An agent of the AI SDK, such as a `ToolLoopAgent`. */
export interface ThinkingAgent {
  readonly version: string;
  readonly tools: object;
  stream(options: {
    messages: ModelMessage[];
    abortSignal?: AbortSignal;
    onStepFinish?: (step: FinishedStep) => Promise<void>;
  }): PromiseLike<ThinkingStream>;
}

/** Makes an agent of settings. It ends a turn after 20 steps, unless `stopWhen` says otherwise. */
export function toolLoopAgent(settings: ThinkingSettings): ThinkingAgent {
  return new ToolLoopAgent<never, ToolSet>(settings);
}

/** Whether an agent is one of the AI SDK itself. Its UI message stream has each tool call before the tool runs, and the end of each step. */
export function isToolLoop(agent: ThinkingAgent): boolean {
  return agent instanceof ToolLoopAgent;
}

/** Starts a stream. An agent that takes tools for one call uses `tools` in place of its own. */
export function startThinking(
  agent: ThinkingAgent,
  options: {
    readonly messages: ModelMessage[];
    readonly abortSignal: AbortSignal;
    readonly onStepFinish: (step: FinishedStep) => Promise<void>;
    readonly tools: ToolSet;
  },
): PromiseLike<ThinkingStream> {
  const { tools, ...rest } = options;
  return agent.stream(Object.keys(tools).length === 0 ? rest : options);
}

/** Makes a tool whose input the given function checks. */
export function toolOf(tool: {
  readonly description: string;
  readonly schema: object;
  readonly check: (value: unknown) => void;
  readonly execute: (
    input: unknown,
    options: { readonly toolCallId: string; readonly abortSignal?: AbortSignal },
  ) => Promise<unknown>;
  readonly toModelOutput: ((options: { readonly output: unknown }) => ToolModelOutput) | undefined;
}): AiTool {
  const { description, schema, check, execute, toModelOutput } = tool;
  const inputSchema = jsonSchema(schema, {
    validate: (value) => {
      try {
        check(value);
        return { success: true, value };
      } catch (error) {
        return { success: false, error: error instanceof Error ? error : new Error(String(error)) };
      }
    },
  });
  // TypeScript can't see that a tool of unknown input and output is one of any tool set.
  return { description, inputSchema, execute, ...(toModelOutput === undefined ? {} : { toModelOutput }) } as AiTool;
}

/** Asks a model once, and returns its text. */
export async function askOnce(
  model: LanguageModel,
  options: { readonly system?: string; readonly messages: ModelMessage[]; readonly abortSignal: AbortSignal },
): Promise<string> {
  const { text } = await generateText({ model, ...options });
  return text;
}
