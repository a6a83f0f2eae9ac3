/**
 * Agents that think: an agent whose body is a model with instructions and tools, or an agent of the AI SDK. It needs the optional peer
 * `ai`, version 6.
 *
 * @example
 * ```ts
 * import { AgentId, SingleThreadedAgentRuntime } from "troupe";
 * import { AiAgent, Prompt } from "troupe/ai";
 * import { scriptedModel } from "troupe/ai/testing";
 *
 * const runtime = new SingleThreadedAgentRuntime();
 * const model = scriptedModel([{ text: "It is 24 degrees." }]); // a provider's model in a program
 * await AiAgent.register(runtime, "concierge", () => new AiAgent({ model, instructions: "You help guests." }));
 * runtime.start();
 * const { text } = await runtime.sendMessage(Prompt({ text: "How warm is it?" }), new AgentId("concierge", "ada"));
 * await runtime.stopWhenIdle();
 * ```
 *
 * @packageDocumentation
 */

export { type AgentToolOptions, agentTool, sameKey, type ToolTarget } from "./agent-tool.ts";
export { AiAgent, type Thoughts } from "./ai-agent.ts";
export { askModel } from "./ask-model.ts";
export type { WhenBusy } from "./busy.ts";
export {
  ChatHistory,
  type ChatHistoryFields,
  type ChatMessage,
  type ChatPart,
  ReadChat,
} from "./chat-history.ts";
export { type Compact, type CompactionFacts, keepLast, type OpenStep, type StepCall, summarize } from "./history.ts";
export type { AiAgentOptions, HistoryOptions, ThinkingOptions } from "./options.ts";
export {
  Prompt,
  type PromptFields,
  type PromptFile,
  type PromptInput,
  Reply,
  type ReplyFields,
  type ReplyInput,
} from "./prompt-messages.ts";
export type { AnsweredRun, ParkedTurn, RunTurn } from "./run-turns.ts";
export type {
  AiTool,
  FinishedStep,
  ThinkingAgent,
  ThinkingSettings,
  ThinkingStream,
  ToolModelOutput,
} from "./sdk.ts";
export type { HeardTurn } from "./team-turns.ts";
