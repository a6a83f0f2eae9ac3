import { encodeFrame, metadataKey } from "../protocol/index.ts";

/** An error that the host itself answers a call with (protocol.md §2.3). */
export interface CallFailure {
  readonly text: string;
  readonly errorType: "UndeliverableException" | "Timeout";
}

export const shuttingDownText = "Host is shutting down.";

function undeliverable(text: string): CallFailure {
  return { text, errorType: "UndeliverableException" };
}

export const callFailure = {
  unknownType: (agentType: string) => undeliverable(`Agent type ${agentType} not found.`),
  disconnected: (agentType: string) => undeliverable(`Client for agent type ${agentType} disconnected.`),
  timedOut: (type: string, key: string, timeoutMs: number): CallFailure => ({
    text: `Request to ${type}/${key} timed out after ${timeoutMs} ms.`,
    errorType: "Timeout",
  }),
  shuttingDown: () => undeliverable(shuttingDownText),
  noTarget: () => undeliverable("The request names no target agent."),
  invalid: (reason: string) => undeliverable(reason),
  overloaded: (agentType: string) =>
    undeliverable(`Too many requests wait for the client of agent type ${agentType}. Try again later.`),
  unreadableRequest: (reason: string) => undeliverable(`The request can't be read: ${reason}`),
  unreadableAnswer: (agentType: string, reason: string) =>
    undeliverable(`The answer of agent type ${agentType} can't be read: ${reason}`),
  requestTooLarge: (agentType: string, bytes: number, maxBytes: number) =>
    undeliverable(
      `The request of ${bytes} bytes exceeds what the worker of agent type ${agentType} can receive${limitText(maxBytes)}.`,
    ),
  answerTooLarge: (agentType: string, bytes: number, maxBytes: number) =>
    undeliverable(
      `The answer of agent type ${agentType} has ${bytes} bytes and exceeds what the caller can receive${limitText(maxBytes)}.`,
    ),
} as const;

/** The answer that carries a failure, under the caller's own request id. */
export function failureAnswer(requestId: string, failure: CallFailure): Uint8Array {
  return encodeFrame({
    kind: "response",
    requestId,
    payload: undefined,
    error: failure.text,
    metadata: { [metadataKey.errorType]: failure.errorType },
  });
}

function limitText(maxBytes: number): string {
  return Number.isFinite(maxBytes) ? ` (${maxBytes} bytes)` : "";
}
