import type { RuntimeEvent, RuntimeEventSink } from "../core/internal.ts";
import type { ModelEvent } from "./model-events.ts";

/** Takes what runtimes tell, and what model clients and tools tell beside. */
export interface EventLog extends RuntimeEventSink {
  emit(event: RuntimeEvent | ModelEvent): void;
}

export interface JsonEventLogOptions {
  /** Whether messages are written out. Default false: they may hold what nobody else should read (protocol.md H24). */
  readonly withPayloads?: boolean | undefined;
}

/**
 * Writes each event as one line of JSON, with the keys, order and text of AutoGen's logger `autogen_core.events`
 * (protocol.md §5.11). `write` gets the line without its end.
 */
export function jsonEventLog(write: (line: string) => void, options: JsonEventLogOptions = {}): EventLog {
  return {
    withPayloads: options.withPayloads ?? false,
    emit: (event) => write(pythonJsonText(inPythonOrder(event))),
  };
}

/** Python puts `type` first in what models and tools tell, last in what runtimes tell. */
function inPythonOrder(event: RuntimeEvent | ModelEvent): object {
  switch (event.type) {
    case "Message":
    case "MessageDropped":
    case "MessageHandlerException":
    case "AgentConstructionException": {
      const { type, ...fields } = event;
      return { ...fields, type };
    }
    case "LLMCall":
    case "LLMStreamStart":
    case "LLMStreamEnd":
    case "ToolCall":
      return event;
  }
}

/**
 * JSON text as Python's `json.dumps` writes it by default: a space after each comma and colon, everything outside
 * printable ASCII escaped. What JSON leaves out or turns into null is treated as `JSON.stringify` does.
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
