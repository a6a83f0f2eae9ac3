import { defineMessage } from "../serialization/define-message.ts";
import { type FieldReader, fieldsSchema } from "../serialization/fields-schema.ts";
import type { MessageOf } from "../serialization/message-type.ts";

/** Fields of a `FunctionCall`, as models produce them; `arguments` is JSON text. A blank text means no arguments. */
export interface FunctionCallFields {
  readonly id: string;
  readonly arguments: string;
  readonly name: string;
}

/** Fields of a `FunctionExecutionResult`, named as on the wire. */
export interface FunctionExecutionResultFields {
  readonly content: string;
  readonly name: string;
  readonly call_id: string;
  readonly is_error: boolean | null;
}

/** Fields to create a result from. `name` and `is_error` are optional: AutoGen 0.4.0 sends neither. */
export type FunctionExecutionResultInput = Pick<FunctionExecutionResultFields, "content" | "call_id"> &
  Partial<FunctionExecutionResultFields>;

export function readFunctionCall(fields: FieldReader): FunctionCallFields {
  // A model's client may give null for the arguments of a tool without parameters.
  const readArguments = () => (fields.isNull("arguments") ? "" : fields.text("arguments"));
  return { id: fields.text("id"), arguments: readArguments(), name: fields.text("name") };
}

export function readFunctionExecutionResult(fields: FieldReader): FunctionExecutionResultFields {
  return {
    content: fields.text("content"),
    name: fields.text("name", ""),
    call_id: fields.text("call_id"),
    is_error: fields.flagOrNull("is_error"),
  };
}

/** Result of a tool's run. Matches AutoGen's pydantic model of the same name. */
export const FunctionExecutionResult = defineMessage(
  "FunctionExecutionResult",
  fieldsSchema<FunctionExecutionResultFields, FunctionExecutionResultInput>(readFunctionExecutionResult),
);
export type FunctionExecutionResult = MessageOf<typeof FunctionExecutionResult>;

/**
 * A model's request to run a tool. A tool agent answers it with a `FunctionExecutionResult`. Matches AutoGen's
 * dataclass of the same name.
 */
export const FunctionCall = defineMessage("FunctionCall", fieldsSchema<FunctionCallFields>(readFunctionCall), {
  answer: FunctionExecutionResult,
});
export type FunctionCall = MessageOf<typeof FunctionCall>;
