import { defineMessage } from "troupe";
import { z } from "zod";

/** The call and its answer. The Python counterpart is in bench/python/rpc.py. */
export const Ping = defineMessage("Ping", z.object({ content: z.string() }));

/** Returns the content of a `Ping` with `payloadBytes` bytes of JSON: `{"content":"…"}` takes 14 beside the text. */
export function contentOf(payloadBytes: number): string {
  return "x".repeat(payloadBytes - 14);
}
