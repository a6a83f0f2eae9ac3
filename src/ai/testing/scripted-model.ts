import { TroupeError } from "../../core/internal.ts";
import type { ModelObject } from "../sdk.ts";

/** A tool call that a scripted model makes. */
export interface ScriptedCall {
  readonly name: string;
  readonly input: object;
}

/** One call of a scripted model: it says a text, calls tools, or fails. */
export interface ScriptedStep {
  /** Text, in as many parts as you give. A generator that waits between its parts sets the pace. Default: none. */
  readonly text?: string | readonly string[] | AsyncIterable<string> | undefined;
  /** Tools that it calls. Default: none. */
  readonly calls?: readonly ScriptedCall[] | undefined;
  /** The call fails with this error, after the text. Default: it does not. */
  readonly error?: Error | undefined;
  /** The call continues with its text, or fails, when this resolves. Default: at once. */
  readonly after?: Promise<unknown> | undefined;
  /** Tokens that it says to have read and written. Default: 10 and 5. */
  readonly tokens?: { readonly input: number; readonly output: number } | undefined;
}

type CallOptions = Parameters<ModelObject["doStream"]>[0];
type StreamPart =
  Awaited<ReturnType<ModelObject["doStream"]>>["stream"] extends ReadableStream<infer Part> ? Part : never;
type Content = Awaited<ReturnType<ModelObject["doGenerate"]>>["content"][number];

/** A model for tests, with the calls that were made to it. */
export type ScriptedModel = ModelObject & {
  /** The options of each call, in order. `prompt` is what the model was given to read. */
  readonly calls: readonly CallOptions[];
};

/** Writes the step of a call, which it is given the options of. `prompt` is what the model has to read. */
export type ScriptWriter = (options: CallOptions) => ScriptedStep;

/**
 * Makes a model that follows a script, one step for each call. It needs no key and no network. A call beyond the script fails, and says so. A function
 * in place of a step is given the options of its call. A function in place of the script writes the step of every call, and has no end.
 *
 * @example
 * ```ts
 * const model = scriptedModel([{ calls: [{ name: "forecast", input: { city: "Lisbon" } }] }, { text: "It is 24 degrees." }]);
 * ```
 */
export function scriptedModel(script: readonly (ScriptedStep | ScriptWriter)[] | ScriptWriter): ScriptedModel {
  if (!Array.isArray(script) && typeof script !== "function") {
    const text =
      'scriptedModel needs a list of steps, such as [{ text: "Hello" }], or a function that writes each step.';
    throw new TroupeError("invalid-argument", text);
  }
  const calls: CallOptions[] = [];
  const next = (options: CallOptions): { readonly step: ScriptedStep; readonly number: number } => {
    options.abortSignal?.throwIfAborted();
    const step = typeof script === "function" ? script : script[calls.length];
    calls.push(options);
    if (step === undefined) {
      throw new TroupeError(
        "not-found",
        `The script has ${script.length} steps, and this is call ${calls.length} of the model.`,
      );
    }
    return { step: typeof step === "function" ? step(options) : step, number: calls.length };
  };
  return {
    specificationVersion: "v3",
    provider: "troupe.scripted",
    modelId: "scripted",
    supportedUrls: {},
    calls,
    doStream: async (options) => {
      const { step, number } = next(options);
      return { stream: streamOf(step, number, options.abortSignal) };
    },
    doGenerate: async (options) => {
      const { step, number } = next(options);
      await step.after;
      if (step.error !== undefined) throw step.error;
      let text = "";
      for await (const part of textsOf(step)) text += part;
      const content: Content[] = [{ type: "text", text }, ...toolCalls(step, number)];
      return { content, finishReason: finishReasonOf(step), usage: usageOf(step), warnings: [] };
    },
  };
}

function streamOf(step: ScriptedStep, number: number, signal: AbortSignal | undefined): ReadableStream<StreamPart> {
  const parts = partsOf(step, number);
  const aborted = signal === undefined ? new Promise<never>(() => undefined) : untilAborted(signal);
  // A stream that ends before the abort does not look at it.
  aborted.catch(() => undefined);
  return new ReadableStream({
    async pull(controller) {
      try {
        const next = await Promise.race([parts.next(), aborted]);
        if (next.done === true) controller.close();
        else controller.enqueue(next.value);
      } catch (error) {
        controller.error(error);
      }
    },
  });
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

async function* partsOf(step: ScriptedStep, number: number): AsyncGenerator<StreamPart, void, undefined> {
  yield { type: "stream-start", warnings: [] };
  const id = `text-${number}`;
  let isFirst = true;
  for await (const delta of textsOf(step)) {
    if (isFirst) yield { type: "text-start", id };
    yield { type: "text-delta", id, delta };
    if (isFirst) await step.after;
    isFirst = false;
  }
  if (!isFirst) yield { type: "text-end", id };
  await step.after;
  if (step.error !== undefined) throw step.error;
  yield* toolCalls(step, number);
  yield { type: "finish", finishReason: finishReasonOf(step), usage: usageOf(step) };
}

function textsOf({ text = [] }: ScriptedStep): readonly string[] | AsyncIterable<string> {
  return typeof text === "string" ? [text] : text;
}

function toolCalls({ calls = [] }: ScriptedStep, number: number) {
  return calls.map(({ name, input }, at) => ({
    ...({ type: "tool-call", toolName: name } as const),
    ...{ toolCallId: `call-${number}-${at + 1}`, input: JSON.stringify(input) },
  }));
}

function finishReasonOf({ calls = [] }: ScriptedStep) {
  return { unified: calls.length > 0 ? ("tool-calls" as const) : ("stop" as const), raw: undefined };
}

function usageOf({ tokens = { input: 10, output: 5 } }: ScriptedStep) {
  return {
    inputTokens: { total: tokens.input, noCache: tokens.input, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: tokens.output, text: tokens.output, reasoning: undefined },
  };
}
