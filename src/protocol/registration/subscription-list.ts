import { ByteWriter, fieldBytes, textFieldBytes } from "../frames/byte-writer.ts";
import type { WirePattern } from "../frames/frame.ts";
import type { WireSubscription } from "./unary.ts";

/**
 * A GetSubscriptions answer. Those of parts of a list may be joined byte by byte: that is the answer with all of it.
 * Written field by field, for a host may hold very many.
 */
export function encodeGetSubscriptionsResponse(subscriptions: readonly WireSubscription[]): Uint8Array {
  const sizes = subscriptions.map(sizeOf);
  const length = sizes.reduce((sum, { entry }) => sum + fieldBytes(entry), 0);
  const writer = new ByteWriter(length);
  for (const [index, { id, pattern }] of subscriptions.entries()) {
    const size = sizes[index];
    if (size === undefined) continue;
    writer.head(1, size.entry);
    writer.text(1, id);
    if (pattern === undefined) continue;
    writer.head(pattern.kind === "type" ? 2 : 3, size.pattern);
    writer.text(1, topicOf(pattern));
    writer.text(2, pattern.agentType);
  }
  // There is no outer message: what the writer puts before the fields is cut off.
  const whole = writer.finishedAs(1);
  return whole.subarray(whole.length - length);
}

/** Bytes of an entry and of the pattern in it, both without their own head. */
function sizeOf({ id, pattern }: WireSubscription): { readonly entry: number; readonly pattern: number } {
  if (pattern === undefined) return { entry: textFieldBytes(id), pattern: 0 };
  const ofPattern = textFieldBytes(topicOf(pattern)) + textFieldBytes(pattern.agentType);
  return { entry: textFieldBytes(id) + fieldBytes(ofPattern), pattern: ofPattern };
}

function topicOf(pattern: WirePattern): string {
  return pattern.kind === "type" ? pattern.topicType : pattern.topicTypePrefix;
}
