import { anything, assertOptions, optionShape, TroupeError } from "../core/internal.ts";
import { askOnce, assertModel, type LanguageModel, type ModelMessage, type ToolModelOutput } from "./sdk.ts";

/** Facts for a function that compacts a history. */
export interface CompactionFacts {
  /** Tokens that the last model call of the agent has read. Undefined: there was none since the agent is live, or the provider did not say. */
  readonly inputTokens: number | undefined;
  /** Aborts when the turn ends. */
  readonly signal: AbortSignal;
}

/** Returns the messages that an agent keeps. A tool call must stay together with its result. */
export type Compact = (
  messages: readonly ModelMessage[],
  facts: CompactionFacts,
) => readonly ModelMessage[] | Promise<readonly ModelMessage[]>;

/** The largest history of an agent. */
export const largestHistory = { messages: 1_000, bytes: 4 * 1024 * 1024 };

/** Bounds of a history. */
export interface HistoryBounds {
  readonly maxMessages: number;
  readonly maxBytes: number;
}

/**
 * Keeps the newest messages, at most `count` of them where a prompt of the user begins there. What it keeps begins with a prompt, so that a
 * tool call and its result stay together.
 */
export function keepLast(count: number): Compact {
  assertCount(count, "keepLast");
  return (messages) => messages.slice(cutAt(messages, messages.length - count));
}

// `assertCount` says more of the number.
const summaryShape = optionShape<{ readonly keep: number }>({ keep: anything });

/**
 * Asks a model for a summary of all but about the newest `keep` messages when there are more than twice as many. The summary takes their place. Its
 * tokens do not count in the `Reply`.
 */
export function summarize(model: LanguageModel, options: { readonly keep: number }): Compact {
  assertModel(model, "summarize");
  assertOptions(options, summaryShape, "summarize");
  const { keep } = options;
  assertCount(keep, "summarize");
  return async (messages, { signal }) => {
    if (messages.length <= keep * 2) return messages;
    const cut = cutAt(messages, messages.length - keep);
    if (cut === 0) return messages;
    const system =
      "Summarise the conversation for the assistant that continues it. Keep names, numbers, decisions and open questions.";
    const prompt = messages.slice(0, cut).map(({ role, content }) => `${role}: ${textOf(content)}`);
    const text = await askOnce(model, {
      ...{ system, abortSignal: signal },
      messages: [{ role: "user", content: prompt.join("\n") }],
    });
    return [{ role: "user", content: `Summary of the conversation so far:\n${text}` }, ...messages.slice(cut)];
  };
}

/** Returns the place of the first prompt from `from` on; without one, of the last prompt before it. */
function cutAt(messages: readonly ModelMessage[], from: number): number {
  if (from <= 0) return 0;
  const next = messages.findIndex(({ role }, at) => at >= from && role === "user");
  return next >= 0
    ? next
    : Math.max(
        0,
        messages.findLastIndex(({ role }) => role === "user"),
      );
}

function textOf(content: ModelMessage["content"]): string {
  return typeof content === "string" ? content : JSON.stringify(content);
}

function assertCount(count: number, name: string): void {
  if (Number.isSafeInteger(count) && count >= 1) return;
  throw new TroupeError("invalid-argument", `${name} needs a whole number of messages from 1.`);
}

/** Returns the newest messages that are within the bounds. Throws `state-too-large` if the newest turn alone is beyond them. */
export function fitHistory(
  messages: readonly ModelMessage[],
  { maxMessages, maxBytes }: HistoryBounds,
): readonly ModelMessage[] {
  const sizes = messages.map((message) => Buffer.byteLength(JSON.stringify(message)) + 1);
  let bytes = sizes.reduce((sum, size) => sum + size, 0);
  let from = 0;
  while (messages.length - from > maxMessages || bytes > maxBytes) {
    const next = messages.findIndex(({ role }, at) => at > from && role === "user");
    if (next < 0) {
      const text = `The newest turn is beyond the bounds of the history, which are ${maxMessages} messages and ${maxBytes} bytes. Raise history.max, or let tools return less.`;
      throw new TroupeError("state-too-large", text);
    }
    for (; from < next; from += 1) bytes -= sizes[from] ?? 0;
  }
  return from === 0 ? messages : messages.slice(from);
}

/** A tool call of the step that runs. */
export interface StepCall {
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
  /** Its result as JSON, or the text of its error. Undefined: it is open. */
  readonly result?: string | undefined;
  /** Whether it has failed. Default: false. */
  readonly failed?: boolean | undefined;
  /** Whether the agent that it asks has begun a run for it. Default: false. */
  readonly begun?: boolean | undefined;
}

/** Returns the calls with this one: in the place of the call that has its id, else behind the others. */
export function withCall(calls: readonly StepCall[], call: StepCall): readonly StepCall[] {
  const at = calls.findIndex(({ id }) => id === call.id);
  return at < 0 ? [...calls, call] : calls.with(at, call);
}

/** The step that runs, as far as it is known. */
export interface OpenStep {
  readonly text: string;
  readonly calls: readonly StepCall[];
}

/**
 * Returns a step that will not be finished as messages. Each open tool call gets `reason` as its result, for a model needs one. `outputs`: what the
 * model reads of results, by the ids of their calls. Default: their text.
 */
export function closedStep(
  { text, calls }: OpenStep,
  reason: string,
  outputs: ReadonlyMap<string, ToolModelOutput> = new Map(),
): readonly ModelMessage[] {
  if (text === "" && calls.length === 0) return [];
  const asked = calls.map(
    ({ id, name, input }) => ({ type: "tool-call", toolCallId: id, toolName: name, input }) as const,
  );
  const content = [...(text === "" ? [] : [{ type: "text", text } as const]), ...asked];
  const results = calls.map(
    ({ id, name, result }) =>
      ({
        ...({ type: "tool-result", toolCallId: id, toolName: name } as const),
        output:
          outputs.get(id) ??
          (result === undefined
            ? ({ type: "error-text", value: reason } as const)
            : ({ type: "text", value: result } as const)),
      }) as const,
  );
  return [
    { role: "assistant", content },
    ...(results.length === 0 ? [] : [{ role: "tool", content: results } as const]),
  ];
}

/** Returns the messages with a result for each tool call that has none. */
export function withResults(messages: readonly ModelMessage[], reason: string): readonly ModelMessage[] {
  const have = new Set<string>();
  for (const { role, content } of messages) {
    if (typeof content === "string" || (role !== "tool" && role !== "assistant")) continue;
    for (const part of content) if (part.type === "tool-result") have.add(part.toolCallId);
  }
  return messages.flatMap((message) => {
    if (message.role !== "assistant" || typeof message.content === "string") return [message];
    const open = message.content.filter((part) => part.type === "tool-call");
    const missing = open.filter((part) => part.providerExecuted !== true && !have.has(part.toolCallId));
    if (missing.length === 0) return [message];
    const results = missing.map(
      ({ toolCallId, toolName }) =>
        ({ type: "tool-result", toolCallId, toolName, output: { type: "error-text", value: reason } }) as const,
    );
    return [message, { role: "tool", content: results } as const];
  });
}
