import type { CodecRegistry } from "../serialization/codec-registry.ts";
import { jsonContentType } from "../serialization/message-type.ts";

const decoder = new TextDecoder();

// protocol.md §5.10, §5.11
/** Returns a message's JSON for the message log and for spans, or Python's text if it has none. Never throws. */
export function payloadText(message: unknown, codecs: CodecRegistry): string {
  try {
    const { contentType, data } = codecs.encode(message, jsonContentType);
    if (contentType === jsonContentType) return decoder.decode(data);
  } catch {
    // The message is not declared or has no JSON. The text below says so.
  }
  return "Message could not be serialized";
}
