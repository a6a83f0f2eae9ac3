import { namedSenderOf, type PeekedEvent, type PeekedRequest, sampledTraceOf } from "../../protocol/internal.ts";
import type { MessageSender } from "../observer.ts";
import { keptText } from "./pending-call.ts";

/** The id of the trace that the sender of a message records. Undefined: it records none. */
export function traceIdOf(message: PeekedRequest | PeekedEvent): string | undefined {
  // 00-TRACE-SPAN-FLAGS
  return sampledTraceOf(message)?.traceparent.slice(3, 35);
}

/** The agent that sends a message. Undefined: the message names none. */
export function messageSenderOf(message: PeekedRequest | PeekedEvent): MessageSender | undefined {
  const sender = namedSenderOf(message);
  return sender && { type: sender.type, key: keptText(sender.key) };
}
