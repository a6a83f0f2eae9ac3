import { TroupeError } from "../../core/internal.ts";

/**
 * An error as a log may have it. The cause of one about a message's content quotes that content, which no log gets unasked
 * (protocol.md §5.11).
 */
export function withoutContent(error: unknown): unknown {
  if (!(error instanceof TroupeError) || error.code !== "invalid-message" || error.cause === undefined) return error;
  const { message, stack } = error;
  const bare = new TroupeError("invalid-message", message);
  return Object.defineProperty(bare, "stack", { value: stack, configurable: true, writable: true });
}
