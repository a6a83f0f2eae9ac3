import type { ErrorCode } from "../../core/internal.ts";
import { encodeFrame, metadataKey } from "../../protocol/internal.ts";
import { limits } from "../limits.ts";
import { shuttingDownText } from "../sessions/admission.ts";

// protocol.md §2.3
/** An error with which the host itself answers a call. */
export interface CallFailure {
  readonly text: string;
  readonly errorType: "UndeliverableException" | "Timeout";
  // protocol.md §11.3
  /** For Troupe's callers, beside the class. */
  readonly code: ErrorCode;
}

function undeliverable(text: string, code: ErrorCode = "undeliverable"): CallFailure {
  return { text, errorType: "UndeliverableException", code };
}

export const callFailure = {
  unknownType: (agentType: string) => undeliverable(`Agent type ${agentType} not found.`),
  /** The target's worker left while it had the call: it may have handled it. */
  disconnected: (agentType: string) => undeliverable(goneText(agentType), "disconnected"),
  /** The target's worker was gone before the host could send it the call. */
  notReached: (agentType: string) => undeliverable(goneText(agentType)),
  timedOut: (type: string, key: string, timeoutMs: number): CallFailure => ({
    text: `Request to ${type}/${key} timed out after ${timeoutMs} ms.`,
    errorType: "Timeout",
    code: "timed-out",
  }),
  shuttingDown: () => undeliverable(shuttingDownText, "shutting-down"),
  noTarget: () => undeliverable("The request names no target agent."),
  invalid: (reason: string) => undeliverable(reason),
  overloaded: (agentType: string) =>
    undeliverable(`Too many requests wait for the client of agent type ${agentType}. Try again later.`, "overloaded"),
  tooManyCalls: (max: number) =>
    undeliverable(`This worker waits for ${max} answers already. Try again when some have come.`, "overloaded"),
  noRoom: (why: string) => undeliverable(why, "overloaded"),
  tooManyCallsHere: () =>
    undeliverable("The host has as many calls under way as it takes. Try again later.", "overloaded"),
  longRequestId: (bytes: number) =>
    undeliverable(`The request id of ${bytes} bytes is longer than this host keeps.`, "invalid-message"),
  unreadableRequest: (reason: string) => undeliverable(`The request can't be read: ${reason}`, "invalid-message"),
  unreadableAnswer: (agentType: string, reason: string) =>
    undeliverable(`The answer of agent type ${agentType} can't be read: ${reason}`, "invalid-message"),
  requestTooLarge: (agentType: string, bytes: number, maxBytes: number) =>
    undeliverable(
      `The request of ${bytes} bytes exceeds what the worker of agent type ${agentType} can receive${limitText(maxBytes)}.`,
      "message-too-large",
    ),
  answerTooLarge: (agentType: string, bytes: number, maxBytes: number) =>
    undeliverable(
      `The answer of agent type ${agentType} has ${bytes} bytes and exceeds what the caller can receive${limitText(maxBytes)}.`,
      "message-too-large",
    ),
} as const;

/** Encodes the answer that carries a failure, under the caller's own request id. */
export function failureAnswer(requestId: string, failure: CallFailure): Uint8Array {
  return encodeFrame({
    kind: "response",
    requestId,
    payload: undefined,
    error: shortened(failure.text),
    metadata: { [metadataKey.errorType]: failure.errorType, [metadataKey.errorCode]: failure.code },
  });
}

/** Cuts a text that holds a long name of the caller's. The conversion to bytes mends a character that the cut halved. */
function shortened(text: string): string {
  return text.length <= limits.errorChars ? text : `${Buffer.from(text.slice(0, limits.errorChars)).toString()}…`;
}

function goneText(agentType: string): string {
  return `Client for agent type ${agentType} disconnected.`;
}

function limitText(maxBytes: number): string {
  return Number.isFinite(maxBytes) ? ` (${maxBytes} bytes)` : "";
}
