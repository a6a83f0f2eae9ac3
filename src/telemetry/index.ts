/**
 * Loggers, the log of messages in AutoGen's JSON format, and the events that model clients and tools write into it.
 *
 * @example
 * ```ts
 * import { SingleThreadedAgentRuntime } from "troupe";
 * import { consoleLogger, jsonEventLog } from "troupe/telemetry";
 *
 * const events = jsonEventLog((line) => process.stdout.write(`${line}\n`));
 * const runtime = new SingleThreadedAgentRuntime({ logger: consoleLogger({ level: "info" }), events });
 * ```
 *
 * @packageDocumentation
 */

export { type ConsoleLoggerOptions, consoleLogger, type LogLevel } from "./console-logger.ts";
export { type EventLog, type JsonEventLogOptions, jsonEventLog } from "./json-event-log.ts";
export {
  type LLMCallEvent,
  type LLMStreamEndEvent,
  type LLMStreamStartEvent,
  llmCallEvent,
  llmStreamEndEvent,
  llmStreamStartEvent,
  type ModelEvent,
  type ModelEventOptions,
  type TokenUse,
  type ToolCallEvent,
  toolCallEvent,
} from "./model-events.ts";
