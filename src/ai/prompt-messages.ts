import { defineMessage, type FieldReader, fieldsSchema, type MessageOf } from "../core/internal.ts";
import { TurnTaken, textParts, UiPart } from "../teams/internal.ts";
import type { ModelMessage } from "./sdk.ts";

/** Fields of a `Reply`. */
export interface ReplyFields {
  /** Text of the model's last step. */
  readonly text: string;
  /** Says why the model ended: `stop`, `length`, `tool-calls`, `content-filter` or another reason of the AI SDK. */
  readonly finish_reason: string;
  /** Tokens that the model calls of this turn have read and written, as far as the provider says. */
  readonly input_tokens: number;
  readonly output_tokens: number;
  /** Finished model calls of this turn. */
  readonly model_calls: number;
}

/** Fields to create a `Reply` from. */
export type ReplyInput = Pick<ReplyFields, "text"> & Partial<ReplyFields>;

function readReply(fields: FieldReader): ReplyFields {
  return {
    text: fields.text("text"),
    finish_reason: fields.text("finish_reason", "stop"),
    input_tokens: fields.count("input_tokens", 0),
    output_tokens: fields.count("output_tokens", 0),
    model_calls: fields.count("model_calls", 0),
  };
}

/** The answer of an agent that thinks. */
export const Reply = defineMessage("Reply", fieldsSchema<ReplyFields, ReplyInput>(readReply));
export type Reply = MessageOf<typeof Reply>;

/** Returns the answer for a caller whose message was steered into a turn. The tokens are told to the caller that began the turn. */
export function steeredReply(reply: ReplyFields): Reply {
  return Reply({ ...reply, input_tokens: 0, output_tokens: 0, model_calls: 0 });
}

/** Returns the answer of a turn as a team reads it. */
export function turnTaken({ text, input_tokens, output_tokens }: ReplyFields): TurnTaken {
  return TurnTaken({ content: text, prompt_tokens: input_tokens, completion_tokens: output_tokens });
}

/** A file of a prompt. */
export interface PromptFile {
  /** Media type, such as `image/png`. */
  readonly media_type: string;
  /** Content as base64, or a URL from which the model or the AI SDK reads it. */
  readonly data: string;
}

/** Fields of a `Prompt`. */
export interface PromptFields {
  readonly text: string;
  readonly files: readonly PromptFile[];
}

/** Fields to create a `Prompt` from. */
export type PromptInput = Pick<PromptFields, "text"> & Partial<PromptFields>;

function readPrompt(fields: FieldReader): PromptFields {
  const files = fields.anything("files") === undefined ? [] : fields.list("files", readFile);
  return { text: fields.text("text"), files };
}

function readFile(fields: FieldReader): PromptFile {
  return { media_type: fields.text("media_type"), data: fields.text("data") };
}

const promptSchema = {
  type: "object",
  properties: { text: { type: "string", description: "What you ask, in words" } },
  required: ["text"],
  additionalProperties: false,
};

const promptFields = fieldsSchema<PromptFields, PromptInput>(readPrompt);
// A prompt may be a tool of another agent: then a model writes the text.
const withJsonSchema: typeof promptFields = {
  "~standard": Object.assign(promptFields["~standard"], { jsonSchema: { input: () => promptSchema } }),
};

/** Asks an agent that thinks. The chunks are parts of the AI SDK's UI message stream, and the answer is a `Reply`. */
export const Prompt = defineMessage("Prompt", withJsonSchema, {
  answer: Reply,
  chunk: UiPart,
  whole: ({ text }) => textParts(text),
});
export type Prompt = MessageOf<typeof Prompt>;

/** Returns a prompt as a message to a model. */
export function userMessage({ text, files }: PromptFields): ModelMessage {
  if (files.length === 0) return { role: "user", content: text };
  const parts = files.map(({ media_type, data }) => ({ type: "file", mediaType: media_type, data }) as const);
  return { role: "user", content: [{ type: "text", text }, ...parts] };
}
