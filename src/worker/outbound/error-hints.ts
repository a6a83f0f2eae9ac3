import { timedOutText, wrongResultText } from "../../core/internal.ts";

/** A call that failed, for the text of its error. */
export interface FailedCall {
  readonly recipient: { toString(): string };
  readonly messageType: string;
}

type Explain = (match: readonly string[], call: FailedCall) => string;

const advised =
  (advice: string): Explain =>
  ([text]) =>
    `${text} ${advice}`;

/**
 * Texts of hosts and of handlers on other workers, and what a caller reads in their place. Peers match on the texts, so that they stay
 * unchanged on the wire.
 */
const explanations: readonly (readonly [RegExp, Explain])[] = [
  [
    /^(Agent type \S+ not found\.|Agent not found\.|Agent not found and no compatible gateways were found\.)$/,
    advised("Start a worker that registers the type, or correct it in the call."),
  ],
  [
    /^Client for agent type \S+ disconnected\.$/,
    advised("The call may have been handled: send it again only if that does no harm."),
  ],
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
export function explained(text: string, call: FailedCall): string {
  for (const [pattern, explain] of explanations) {
    const match = pattern.exec(text);
    if (match !== null) return explain(match, call);
  }
  return text;
}

function handlerOf({ recipient, messageType }: FailedCall): string {
  return `The handler of ${recipient.toString()} for ${messageType}`;
}
