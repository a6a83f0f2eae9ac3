import { decodeFrame } from "../../protocol/internal.ts";

/** Returns the agent that makes a call, `type/key`, if the call names it. The quick reader does not read it, since it seldom matters. */
export function sourceOf(bytes: Uint8Array): string | undefined {
  try {
    const frame = decodeFrame(bytes);
    if (frame.kind !== "request" || frame.source === undefined) return undefined;
    return `${frame.source.type}/${frame.source.key}`;
  } catch {
    return undefined;
  }
}
