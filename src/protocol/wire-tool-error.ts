import {
  errorText,
  InvalidToolArgumentsException,
  ToolException,
  ToolExecutionException,
  type ToolFailure,
  ToolNotFoundException,
} from "../core/index.ts";
import type { WireMetadata } from "./frame.ts";
import { wellFormed } from "./well-formed.ts";
import type { WireError } from "./wire-error.ts";
import { metadataKey } from "./wire-names.ts";

const classes: { readonly [errorType: string]: new (failure: ToolFailure) => ToolException } = {
  ToolNotFoundException,
  InvalidToolArgumentsException,
  ToolExecutionException,
};

/** A tool agent's failure with the call and the tool it is about (protocol.md §5.5); undefined for any other. */
export function toWireToolError(thrown: unknown): WireError | undefined {
  if (!(thrown instanceof ToolException) || !Object.hasOwn(classes, thrown.name)) return undefined;
  return {
    error: wellFormed(errorText(thrown)),
    metadata: {
      [metadataKey.errorType]: thrown.name,
      [metadataKey.toolCallId]: wellFormed(thrown.callId),
      [metadataKey.toolName]: wellFormed(thrown.toolName),
    },
  };
}

/** Undefined when `errorType` names none of the three. */
export function fromWireToolError(errorType: string, content: string, metadata: WireMetadata): Error | undefined {
  const ErrorClass = Object.hasOwn(classes, errorType) ? classes[errorType] : undefined;
  if (ErrorClass === undefined) return undefined;
  const callId = metadata[metadataKey.toolCallId] ?? "";
  return new ErrorClass({ callId, content, toolName: metadata[metadataKey.toolName] ?? "" });
}
