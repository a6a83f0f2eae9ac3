import { ToolException, type ToolFailure, type TroupeErrorOptions } from "../../core/internal.ts";
import type { WireMetadata } from "../frames/frame.ts";
import { wellFormed } from "../frames/well-formed.ts";
import { metadataKey } from "../wire-names.ts";

export type ToolErrorClass = new (failure: ToolFailure, options?: TroupeErrorOptions) => ToolException;

/** The call and the tool that a tool agent's failure is about (protocol.md §5.5); nothing for any other. */
export function toolErrorMetadata(thrown: unknown): WireMetadata {
  if (!(thrown instanceof ToolException)) return {};
  return {
    [metadataKey.toolCallId]: wellFormed(thrown.callId),
    [metadataKey.toolName]: wellFormed(thrown.toolName),
  };
}

export function fromToolErrorMetadata(content: string, metadata: WireMetadata): ToolFailure {
  const { [metadataKey.toolCallId]: callId = "", [metadataKey.toolName]: toolName = "" } = metadata;
  return { callId, content, toolName };
}
