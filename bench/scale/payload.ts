import type { WirePayload } from "troupe/protocol";
import { contentOf } from "../rpc/messages.ts";

/** The payload of every call, answer and event: a `Ping` with 100 bytes of JSON. */
export const payload: WirePayload = {
  typeName: "Ping",
  contentType: "application/json",
  data: new TextEncoder().encode(JSON.stringify({ content: contentOf(100) })),
};

/** A random whole number from 0 up to but without `end`. */
export function below(end: number): number {
  return Math.floor(Math.random() * end);
}
