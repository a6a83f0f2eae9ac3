import type { WireMetadata } from "./frame.ts";
import type { WireError } from "./wire-error.ts";

export function toWireToolError(_thrown: unknown): WireError | undefined {
  return undefined;
}

export function fromWireToolError(_named: string, _error: string, _metadata: WireMetadata): Error | undefined {
  return undefined;
}
