import { defineMessage, type FieldReader, fieldsSchema, type MessageOf } from "../core/internal.ts";
import type { ModelMessage, ToolModelOutput } from "./sdk.ts";

/** A part of a message of a chat, as the AI SDK's `UIMessage` has it. */
export interface ChatPart {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A message of a chat, as the AI SDK's `UIMessage` has it. */
export interface ChatMessage {
  readonly id: string;
  readonly role: "user" | "assistant";
  readonly parts: readonly ChatPart[];
}

/** Fields of a `ChatHistory`. */
export interface ChatHistoryFields {
  /** The messages, the oldest first: questions, and answers that have ended. An answer of several steps is one message. */
  readonly messages: readonly ChatMessage[];
  /** Whether the agent works on an answer. Its question is in `messages`, and none of its parts are. */
  readonly is_answering: boolean;
  /** Whether older messages are left out: those beyond 1 MiB of JSON. */
  readonly is_cut: boolean;
}

const asked = fieldsSchema<object>(() => ({}));

function readHistory(fields: FieldReader): ChatHistoryFields {
  const messages = fields.list("messages", readMessage);
  return { messages, is_answering: fields.flag("is_answering"), is_cut: fields.flag("is_cut") };
}

function readMessage(fields: FieldReader): ChatMessage {
  const role = fields.text("role");
  if (role !== "user" && role !== "assistant") fields.refuse("role", 'expected "user" or "assistant"');
  const parts = fields.list("parts", (part, value) => {
    part.text("type");
    // It has a type, and its other fields are those of the part.
    return value as ChatPart;
  });
  return { id: fields.text("id"), role: role === "user" ? role : "assistant", parts };
}

/** The answer to `ReadChat`. */
export const ChatHistory = defineMessage("ChatHistory", fieldsSchema<ChatHistoryFields>(readHistory));
export type ChatHistory = MessageOf<typeof ChatHistory>;

/** Asks an agent that thinks what was said, as a page shows it. The agent answers at once, also while it thinks. */
export const ReadChat = defineMessage("ReadChat", asked, { answer: ChatHistory });
export type ReadChat = MessageOf<typeof ReadChat>;

/** Bytes of the messages of one answer, as JSON. */
const mostBytes = 1024 * 1024;

/**
 * Returns a history as a page shows it. `before`: the number of messages before the turn that runs, of which only the questions are shown.
 * Undefined: none runs.
 */
export function chatHistory(history: readonly ModelMessage[], before: number | undefined): ChatHistory {
  const shown = history.map((message, at) => ({ message, at }));
  const told = before === undefined ? shown : shown.filter(({ message, at }) => at < before || message.role === "user");
  const outputs = outputsIn(history);
  const messages: { id: string; role: "user" | "assistant"; parts: ChatPart[] }[] = [];
  for (const { message, at } of told) {
    const { role } = message;
    if (role !== "user" && role !== "assistant") continue;
    const parts = partsOf(message, outputs);
    const last = messages.at(-1);
    if (role === "assistant" && last?.role === role) last.parts.push(...parts);
    else messages.push({ id: `${role}-${at}`, role, parts: [...parts] });
  }
  const kept = newest(messages);
  const is_cut = kept.length < messages.length;
  return ChatHistory({ messages: kept, is_answering: before !== undefined, is_cut });
}

/** Returns the newest messages that are within the bound, which begin with a question. */
function newest(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  let from = messages.length;
  for (let bytes = 0; from > 0; from -= 1) {
    bytes += Buffer.byteLength(JSON.stringify(messages[from - 1])) + 1;
    if (bytes > mostBytes) break;
  }
  if (from === 0) return messages;
  const first = messages.findIndex(({ role }, at) => at >= from && role === "user");
  return first < 0 ? [] : messages.slice(first);
}

/** Returns the outputs of tools by the ids of their calls. */
function outputsIn(history: readonly ModelMessage[]): ReadonlyMap<string, ToolModelOutput> {
  const outputs = new Map<string, ToolModelOutput>();
  for (const { content } of history) {
    if (typeof content === "string") continue;
    for (const part of content) if (part.type === "tool-result") outputs.set(part.toolCallId, part.output);
  }
  return outputs;
}

function partsOf({ content }: ModelMessage, outputs: ReadonlyMap<string, ToolModelOutput>): readonly ChatPart[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  return content.flatMap((part): readonly ChatPart[] => {
    switch (part.type) {
      case "text":
      case "reasoning":
        return [{ type: part.type, text: part.text }];
      case "file":
        return typeof part.data === "string"
          ? [{ type: "file", mediaType: part.mediaType, url: urlOf(part.data, part.mediaType) }]
          : [];
      case "tool-call": {
        const { toolName, toolCallId, input } = part;
        return [{ type: `tool-${toolName}`, toolCallId, input, ...outcomeOf(outputs.get(toolCallId)) }];
      }
      default:
        return [];
    }
  });
}

/** A history has files as base64 or as an address. */
function urlOf(data: string, mediaType: string): string {
  return /^[a-z][a-z0-9+.-]*:/i.test(data) ? data : `data:${mediaType};base64,${data}`;
}

function outcomeOf(output: ToolModelOutput | undefined): { readonly state: string; readonly [field: string]: unknown } {
  if (output === undefined) return { state: "output-error", errorText: "This tool has not answered." };
  switch (output.type) {
    case "error-text":
      return { state: "output-error", errorText: output.value };
    case "error-json":
      return { state: "output-error", errorText: JSON.stringify(output.value) };
    case "execution-denied":
      return { state: "output-error", errorText: output.reason ?? "This tool was not allowed to run." };
    default:
      return { state: "output-available", output: output.value };
  }
}
