import type { AgentId } from "../../core/internal.ts";
import { metadataKey, type ResponseFrame } from "../../protocol/internal.ts";

/** Texts of Troupe's and .NET's hosts, and the advice for each. Peers match on the texts, so that they stay unchanged on the wire. */
const hints: readonly (readonly [RegExp, string])[] = [
  [
    /^(Agent type \S+ not found\.|Agent not found\.|Agent not found and no compatible gateways were found\.)$/,
    "Start a worker that registers the type, or correct it in the call.",
  ],
];

const workerGone = /^Client for agent type \S+ disconnected\.$/;
const mayBeHandled = "The call may have been handled: send it again only if that does no harm.";

/** Returns the text of a failed call, with advice for the caller if the host gave none. */
export function withHint({ error, metadata }: Pick<ResponseFrame, "error" | "metadata">, recipient: AgentId): string {
  if (workerGone.test(error)) return ofWorkerGone(error, metadata[metadataKey.errorCode], recipient);
  const advice = hints.find(([pattern]) => pattern.test(error))?.[1];
  return advice === undefined ? error : `${error} ${advice}`;
}

// protocol.md §11.3
/** A host that sends codes says by the code whether the worker had the call. */
function ofWorkerGone(error: string, code: string | undefined, recipient: AgentId): string {
  switch (code) {
    case "disconnected":
      return `The worker that serves ${recipient} disconnected before it answered. ${mayBeHandled}`;
    case "undeliverable":
      return `The worker that serves ${recipient} disconnected before it got the call. Send it again when a worker serves the type.`;
    default:
      return `${error} ${mayBeHandled}`;
  }
}
