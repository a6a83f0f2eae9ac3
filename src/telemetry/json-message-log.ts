import {
  assertFunction,
  assertOptions,
  flag,
  type MessageLogRecord,
  type MessageLogSink,
  optionShape,
} from "../core/internal.ts";
import type { ModelRecord } from "./model-records.ts";

/** Log for the messages of runtimes, and for the calls of model clients and tools. */
export interface JsonMessageLog extends MessageLogSink {
  emit(record: MessageLogRecord | ModelRecord): void;
}

/** Options of `jsonMessageLog`. */
export interface JsonMessageLogOptions {
  // protocol.md H24
  /** Whether to write the content of messages, which may be confidential. Default: false. */
  readonly withPayloads?: boolean | undefined;
}

const shape = optionShape<JsonMessageLogOptions>({ withPayloads: flag });

// protocol.md §5.11
/**
 * Creates a message log that writes each record as one line of JSON, with the keys, order and text of AutoGen's logger
 * `autogen_core.events`. `write` gets the line without a line break.
 *
 * @example
 * ```ts
 * const runtime = new SingleThreadedAgentRuntime({ messageLog: jsonMessageLog((line) => console.log(line)) });
 * ```
 */
export function jsonMessageLog(write: (line: string) => void, options: JsonMessageLogOptions = {}): JsonMessageLog {
  assertFunction(write, "The writer of a message log");
  assertOptions(options, shape, "jsonMessageLog");
  return {
    withPayloads: options.withPayloads ?? false,
    emit: (record) => write(pythonJsonText(inPythonOrder(record))),
  };
}

/** Python writes `type` first in records of models and tools, and last in records of runtimes. */
function inPythonOrder(record: MessageLogRecord | ModelRecord): object {
  switch (record.type) {
    case "Message":
    case "MessageDropped":
    case "MessageHandlerException":
    case "AgentConstructionException": {
      const { type, ...fields } = record;
      return { ...fields, type };
    }
    case "LLMCall":
    case "LLMStreamStart":
    case "LLMStreamEnd":
    case "ToolCall":
      return record;
  }
}

/**
 * Formats JSON as Python's `json.dumps` does by default: a space after commas and colons, and escapes for all but
 * printable ASCII. Values without a JSON form are treated as in `JSON.stringify`.
 */
export function pythonJsonText(value: unknown): string {
  const text = JSON.stringify(value);
  return text === undefined ? "null" : format(JSON.parse(text));
}

function format(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(format).join(", ")}]`;
  const fields = Object.entries(value).map(([name, field]) => `${quote(name)}: ${format(field)}`);
  return `{${fields.join(", ")}}`;
}

function quote(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
