import type { RuntimeEvent, RuntimeEventSink } from "../core/internal.ts";
import type { ModelEvent } from "./model-events.ts";
import { pythonJsonText } from "./python-json-text.ts";

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
