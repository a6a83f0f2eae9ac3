import type { AgentId } from "../../core/internal.ts";
import { metadataKey, type ResponseFrame, saysNotHandled, type WireMetadata } from "../../protocol/internal.ts";

const mayHaveRun = "The call may have been handled: send it again only if that does no harm.";

/** The facts that a hint may depend on, beside the text. */
interface Outcome {
  readonly recipient: AgentId;
  /** Whether it is certain that no handler has seen the call. */
  readonly notHandled: boolean;
  /** The code that the answer carries; stock hosts send none. */
  readonly code: string | undefined;
}

/**
 * Texts of hosts and workers, each with a function that returns the text for the caller. Peers match on the texts, so that they
 * stay unchanged on the wire.
 */
const hints: readonly (readonly [RegExp, (text: string, outcome: Outcome) => string])[] = [
  [
    /^(Agent type \S+ not found\.|Agent not found\.|Agent not found and no compatible gateways were found\.)$/,
    (text) => `${text} Start a worker that registers the type, or correct it in the call.`,
  ],
  [/^Client for agent type \S+ disconnected\.$/, workerGone],
  [/^Host is shutting down\.$/, (text, { notHandled }) => `${text} ${notHandled ? notTaken("It") : mayHaveRun}`],
];

/** Returns the text of a failed call, with advice for the caller if the peer gave none. */
export function withHint({ error, metadata }: Pick<ResponseFrame, "error" | "metadata">, recipient: AgentId): string {
  const code = metadata[metadataKey.errorCode];
  // Before it could tell so, a Troupe host said `undeliverable` only of what it had not sent.
  const notHandled = saysNotHandled(metadata) || code === "undeliverable";
  const outcome: Outcome = { recipient, notHandled, code };
  if (error === workerStopsText && code === "shutting-down") return workerStops(outcome);
  const hint = hints.find(([pattern]) => pattern.test(error))?.[1];
  return hint === undefined ? error : hint(error, outcome);
}

/** The text of a worker that stops, for what it did not take and for what it did not finish. */
const workerStopsText = "The worker is shutting down.";

function workerStops({ recipient, notHandled }: Outcome): string {
  return notHandled
    ? `The worker of ${recipient} is shutting down. ${notTaken("It")}`
    : `The worker of ${recipient} is shutting down and waits no longer for the handler. ${mayHaveRun}`;
}

function workerGone(text: string, { recipient, notHandled, code }: Outcome): string {
  if (code === undefined) return `${text} ${mayHaveRun}`;
  return notHandled
    ? `The worker that serves ${recipient} disconnected before it got the call. ${sendAgain}`
    : `The worker that serves ${recipient} disconnected before it answered. ${mayHaveRun}`;
}

const sendAgain = "Send it again; with waitForTarget the runtime does so until a worker serves the type.";

function notTaken(who: string): string {
  return `${who} did not take the call. ${sendAgain}`;
}

const gatewayText = /^Agent not found(\.| and no compatible gateways were found\.)$/;

// protocol.md §2.2
/** Returns the metadata of a failed call, with the code where .NET's gateway says by its text alone that no agent is there. */
export function withGatewayCode(text: string, metadata: WireMetadata): WireMetadata {
  const isCoded = metadata[metadataKey.errorCode] !== undefined || metadata[metadataKey.errorType] !== undefined;
  if (isCoded || !gatewayText.test(text)) return metadata;
  return { ...metadata, [metadataKey.errorCode]: "undeliverable" };
}
