import { type AgentId, timedOutText, wrongResultText } from "../../core/internal.ts";
import { metadataKey, type ResponseFrame, saysNotHandled, type WireMetadata } from "../../protocol/internal.ts";

/** The agent that was called, and the type of the message. */
export interface Called {
  readonly recipient: AgentId;
  readonly messageType: string;
}

/** Facts that the answer to a call has beside its text. */
interface Outcome extends Called {
  /** Whether it is certain that no handler has seen the call. */
  readonly notHandled: boolean;
  /** The code that the answer carries; stock hosts send none. */
  readonly code: string | undefined;
}

type Explain = (match: readonly string[], outcome: Outcome) => string;

export const mayHaveRun = "The call may have been handled: send it again only if that does no harm.";
const sendAgain = "Send it again; with waitForTarget the runtime does so until a worker serves the type.";
/** The text of a worker that stops, for what it did not take and for what it did not finish. */
const workerStopsText = "The worker is shutting down.";

/**
 * Texts of hosts and of handlers on other workers, and what a caller reads in their place. Peers match on the texts, so that they stay
 * unchanged on the wire.
 */
const explanations: readonly (readonly [RegExp, Explain])[] = [
  [
    /^(Agent type \S+ not found\.|Agent not found\.|Agent not found and no compatible gateways were found\.)$/,
    ([text = ""]) => `${text} Start a worker that registers the type, or correct it in the call.`,
  ],
  [/^Client for agent type \S+ disconnected\.$/, workerGone],
  [/^Host is shutting down\.$/, ([text], { notHandled }) => `${text} ${notHandled ? notTaken("It") : mayHaveRun}`],
  [
    /^Request to .* timed out after (\d+) ms\.$/s,
    ([, ms = ""], { recipient, messageType }) => timedOutText(ms, recipient, messageType),
  ],
  [
    /^Return type (\S+) not in return types \[(.*)\]$/,
    ([, came = "", allowed = ""], call) => wrongResultText({ came, allowed }, handlerOf(call)),
  ],
];

/** Returns the text of a failed call for its caller. It adds names and advice to what a host or a handler says. */
export function explained({ error, metadata }: Pick<ResponseFrame, "error" | "metadata">, call: Called): string {
  const code = metadata[metadataKey.errorCode];
  // Before it could tell so, a Troupe host said `undeliverable` only of what it had not sent.
  const notHandled = saysNotHandled(metadata) || code === "undeliverable";
  const outcome: Outcome = { ...call, notHandled, code };
  if (error === workerStopsText && code === "shutting-down") return workerStops(outcome);
  for (const [pattern, explain] of explanations) {
    const match = pattern.exec(error);
    if (match !== null) return explain(match, outcome);
  }
  return error;
}

function workerStops({ recipient, notHandled }: Outcome): string {
  return notHandled
    ? `The worker of ${recipient} is shutting down. ${notTaken("It")}`
    : `The worker of ${recipient} is shutting down and waits no longer for the handler. ${mayHaveRun}`;
}

function workerGone([text]: readonly string[], { recipient, notHandled, code }: Outcome): string {
  if (code === undefined) return `${text} ${mayHaveRun}`;
  return notHandled
    ? `The worker that serves ${recipient} disconnected before it got the call. ${sendAgain}`
    : `The worker that serves ${recipient} disconnected before it answered. ${mayHaveRun}`;
}

function notTaken(who: string): string {
  return `${who} did not take the call. ${sendAgain}`;
}

function handlerOf({ recipient, messageType }: Called): string {
  return `The handler of ${recipient} for ${messageType}`;
}

const gatewayNotFound = /^Agent not found(\.| and no compatible gateways were found\.)$/;

// protocol.md §2.2
/** Returns the metadata of a failed call, with the code where .NET's gateway says by its text alone that no agent is there. */
export function withGatewayCode(text: string, metadata: WireMetadata): WireMetadata {
  const isCoded = metadata[metadataKey.errorCode] !== undefined || metadata[metadataKey.errorType] !== undefined;
  if (isCoded || !gatewayNotFound.test(text)) return metadata;
  return { ...metadata, [metadataKey.errorCode]: "undeliverable" };
}
