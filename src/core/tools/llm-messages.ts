import { defineMessage } from "../serialization/define-message.ts";
import { type FieldReader, fieldsSchema } from "../serialization/fields-schema.ts";
import type { MessageOf } from "../serialization/message-type.ts";
import {
  type FunctionCallFields,
  type FunctionExecutionResultFields,
  readFunctionCall,
  readFunctionExecutionResult,
} from "./function-call.ts";

/** An image as AutoGen writes it: base64 text. */
export interface ImageFields {
  readonly data: string;
}

/** Fields of a `SystemMessage`. */
export interface SystemMessageFields {
  readonly content: string;
  readonly type: "SystemMessage";
}
/** Fields of a `UserMessage`. */
export interface UserMessageFields {
  readonly content: string | readonly (string | ImageFields)[];
  /** Agent that sent the message. */
  readonly source: string;
  readonly type: "UserMessage";
}
/** Fields of an `AssistantMessage`. */
export interface AssistantMessageFields {
  /** Text, or the tools that the model requests. */
  readonly content: string | readonly FunctionCallFields[];
  readonly thought: string | null;
  readonly source: string;
  readonly type: "AssistantMessage";
}
/** Fields of a `FunctionExecutionResultMessage`. */
export interface FunctionExecutionResultMessageFields {
  readonly content: readonly FunctionExecutionResultFields[];
  readonly type: "FunctionExecutionResultMessage";
}

/** Fields to create a message from: `type` is filled in, `thought` is optional. */
type Made<Fields> = Omit<Fields, "type" | "thought"> & Partial<Pick<Fields, Extract<keyof Fields, "type" | "thought">>>;

/** The developer's instructions for the model. */
export const SystemMessage = defineMessage(
  "SystemMessage",
  fieldsSchema<SystemMessageFields, Made<SystemMessageFields>>((fields) => ({
    content: fields.text("content"),
    type: readType(fields, "SystemMessage"),
  })),
);
export type SystemMessage = MessageOf<typeof SystemMessage>;

/** Input from a person or another agent. */
export const UserMessage = defineMessage(
  "UserMessage",
  fieldsSchema<UserMessageFields, Made<UserMessageFields>>((fields) => ({
    content: fields.isList("content") ? fields.list("content", readTextOrImage) : fields.text("content"),
    source: fields.text("source"),
    type: readType(fields, "UserMessage"),
  })),
);
export type UserMessage = MessageOf<typeof UserMessage>;

/** The model's reply. */
export const AssistantMessage = defineMessage(
  "AssistantMessage",
  fieldsSchema<AssistantMessageFields, Made<AssistantMessageFields>>((fields) => ({
    content: fields.isList("content") ? fields.list("content", readFunctionCall) : fields.text("content"),
    thought: fields.textOrNull("thought"),
    source: fields.text("source"),
    type: readType(fields, "AssistantMessage"),
  })),
);
export type AssistantMessage = MessageOf<typeof AssistantMessage>;

/** Results of the tools that the model requested. */
export const FunctionExecutionResultMessage = defineMessage(
  "FunctionExecutionResultMessage",
  fieldsSchema<FunctionExecutionResultMessageFields, Made<FunctionExecutionResultMessageFields>>((fields) => ({
    content: fields.list("content", readFunctionExecutionResult),
    type: readType(fields, "FunctionExecutionResultMessage"),
  })),
);
export type FunctionExecutionResultMessage = MessageOf<typeof FunctionExecutionResultMessage>;

/** One message of a conversation with a model; `type` tells them apart. */
export type LLMMessage = SystemMessage | UserMessage | AssistantMessage | FunctionExecutionResultMessage;

function readTextOrImage(item: FieldReader, value: unknown): string | ImageFields {
  return typeof value === "string" ? value : { data: item.text("data") };
}

function readType<Name extends string>(fields: FieldReader, name: Name): Name {
  if (fields.text("type", name) !== name) fields.refuse("type", `expected ${name}`);
  return name;
}
