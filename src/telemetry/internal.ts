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
  type ToolCallEvent,
  toolCallEvent,
} from "./model-events.ts";
