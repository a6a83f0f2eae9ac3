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
  type ToolCallEvent,
  toolCallEvent,
} from "./model-records.ts";
