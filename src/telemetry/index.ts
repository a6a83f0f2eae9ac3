/**
 * Loggers, the log of messages in AutoGen's JSON format, and the records that model clients and tools write into it.
 *
 * @example
 * ```ts
 * import { SingleThreadedAgentRuntime } from "troupe";
 * import { consoleLogger, jsonMessageLog } from "troupe/telemetry";
 *
 * const messageLog = jsonMessageLog((line) => process.stdout.write(`${line}\n`));
 * const runtime = new SingleThreadedAgentRuntime({ logger: consoleLogger({ level: "info" }), messageLog });
 * ```
 *
 * @packageDocumentation
 */

export { type ConsoleLoggerOptions, consoleLogger, type LogLevel } from "./console-logger.ts";
export { type JsonMessageLog, type JsonMessageLogOptions, jsonMessageLog } from "./json-message-log.ts";
export {
  type LLMCallEvent,
  type LLMStreamEndEvent,
  type LLMStreamStartEvent,
  llmCallEvent,
  llmStreamEndEvent,
  llmStreamStartEvent,
  type ModelRecord,
  type ModelRecordOptions,
  type TokenUse,
  type ToolCallEvent,
  toolCallEvent,
} from "./model-records.ts";
