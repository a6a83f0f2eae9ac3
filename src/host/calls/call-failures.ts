import {
  type AgentName,
  deadlockText,
  type ErrorCode,
  type FullMail,
  fullMailAdvice,
  fullMailText,
  loggableUpTo,
} from "../../core/internal.ts";
import { encodeFrame, metadataKey } from "../../protocol/internal.ts";
import { limits } from "../limits.ts";
import type { Overuse } from "../quotas/usage.ts";
import { shuttingDownText } from "../sessions/admission.ts";

// protocol.md §2.3
/** An error with which the host itself answers a call. */
export interface CallFailure {
  readonly text: string;
  readonly errorType: "UndeliverableException" | "Timeout" | "HandlerError";
  // protocol.md §11.3
  /** For Troupe's callers, beside the class. */
  readonly code: ErrorCode;
  /** Whether it is certain that no handler has seen the call. Only announced callers are told. */
  readonly notHandled: boolean;
  // protocol.md §2.5
  /** Milliseconds after which another attempt may succeed. Default: it is not known. Only announced callers are told. */
  readonly retryMs?: number | undefined;
}

/** Characters of a name that a text shows. */
const shownChars = 200;

function undeliverable(text: string, code: ErrorCode = "undeliverable"): CallFailure {
  return { text, errorType: "UndeliverableException", code, notHandled: true };
}

/** A failure of a call that its target had. */
function mayBeHandled(text: string, code: ErrorCode): CallFailure {
  return { text, errorType: "UndeliverableException", code, notHandled: false };
}

export const callFailure = {
  unknownType: (agentType: string) => undeliverable(`Agent type ${agentType} not found.`),
  // protocol.md §2.1
  /** The sender is not an agent of the worker that sends the call. */
  foreignSender: (agentType: string) =>
    undeliverable(
      `The sender's agent type ${loggableUpTo(shownChars, agentType)} is not served by this worker. Register the type first, or name no sender.`,
      "not-authorized",
    ),
  // protocol.md §2.4
  /** The rules of the host do not let the worker send the message. */
  denied: (text: string) => undeliverable(text, "not-authorized"),
  // protocol.md §2.5
  /** The principal or the address of the worker uses too much. */
  overQuota: ({ text, retryMs }: Overuse): CallFailure => ({ ...undeliverable(text, "overloaded"), retryMs }),
  /** The same of a worker that sends a chunk: the handler has begun. */
  chunkOverQuota: (agentType: string, text: string): CallFailure =>
    mayBeHandled(`A chunk of agent type ${agentType} was refused. ${text}`, "overloaded"),
  /** The target's worker left while it had the call: it may have handled it. */
  disconnected: (agentType: string) => mayBeHandled(goneText(agentType), "disconnected"),
  /** The target's worker left in good order. It had answered all that it took, and this call was not among that. */
  notTaken: (agentType: string) => undeliverable(goneText(agentType), "disconnected"),
  /** The target's worker was gone before the host could send it the call. */
  notReached: (agentType: string) => undeliverable(goneText(agentType)),
  timedOut: (type: string, key: string, timeoutMs: number): CallFailure => ({
    text: `Request to ${type}/${key} timed out after ${timeoutMs} ms.`,
    errorType: "Timeout",
    code: "timed-out",
    notHandled: false,
  }),
  // protocol.md §11.13
  /** The call and others wait for each other. Its handler has hardly begun, but the host can't be sure. */
  deadlock: (ring: string): CallFailure => ({
    text: deadlockText(ring),
    errorType: "HandlerError",
    code: "deadlock",
    notHandled: false,
  }),
  /** The host ends, and its target has the call. */
  cutShort: () => mayBeHandled(shuttingDownText, "shutting-down"),
  /** The host ends, and did not take the call. */
  shuttingDown: () => undeliverable(shuttingDownText, "shutting-down"),
  /** No worker of a shared type could get the agent. */
  notPlaced: ({ code, reason }: { readonly code: ErrorCode; readonly reason: string }) => undeliverable(reason, code),
  // protocol.md §11.17
  tooManyHeld: (agentType: string) =>
    undeliverable(
      `Too many messages wait for an agent of type ${agentType} that moves to another worker. Try again later.`,
      "overloaded",
    ),
  movedTooOften: (agentType: string) =>
    undeliverable(`The agent of type ${agentType} moved too often: no worker began the call. Try again later.`),
  /** Its handler ran, and all that it did was undone. */
  conflict: (agentType: string) =>
    mayBeHandled(
      `The state of the agent of type ${agentType} was written by another, twice in a row, so that the call changed nothing. Try again.`,
      "state-conflict",
    ),
  /** The target's worker stops, and its time was over while it had the call. */
  revoked: (agentType: string) =>
    mayBeHandled(`The worker of agent type ${agentType} stops, and the call took too long there.`, "shutting-down"),
  // protocol.md §12.7
  isolated: () => undeliverable("This host has lost touch with its cluster; nothing was sent."),
  noTarget: () => undeliverable("The request names no target agent."),
  invalid: (reason: string) => undeliverable(reason),
  overloaded: (agentType: string) =>
    undeliverable(`Too many requests wait for the client of agent type ${agentType}. Try again later.`, "overloaded"),
  // protocol.md §12.2
  tooManyLookUps: (agentType: string) =>
    undeliverable(
      `The host asks its cluster for the places of many agent types already, and for that of ${agentType} not yet. Try again later.`,
      "overloaded",
    ),
  tooManyCalls: (max: number) =>
    undeliverable(`This worker waits for ${max} answers already. Try again when some have come.`, "overloaded"),
  noRoom: (why: string) => undeliverable(why, "overloaded"),
  tooManyCallsHere: () =>
    undeliverable(
      "The host has as many calls under way as it takes of this address or in all (maxPendingCalls). Try again later.",
      "overloaded",
    ),
  // protocol.md §11.16
  /** A told message that is not kept. `state-unknown`: it may be. */
  notKept: (text: string, code: ErrorCode): CallFailure => ({
    ...{ text, errorType: "HandlerError", code, notHandled: code !== "state-unknown" },
  }),
  fullMailbox: (mailbox: AgentName, full: FullMail) =>
    undeliverable(`${fullMailText(mailbox, full)} ${fullMailAdvice}`, "overloaded"),
  // protocol.md §11.18
  noDurableEvents: (agentType: string) =>
    undeliverable(
      `The worker of agent type ${agentType} takes no durable events: AutoGen's own workers can't say that they have handled one. Serve the type by a Troupe worker, or remove its durable subscription.`,
    ),
  longRequestId: (bytes: number) =>
    undeliverable(`The request id of ${bytes} bytes is longer than this host keeps.`, "invalid-message"),
  unreadableRequest: (reason: string) => undeliverable(`The request can't be read: ${reason}`, "invalid-message"),
  unreadableAnswer: (agentType: string, reason: string) =>
    mayBeHandled(`The answer of agent type ${agentType} can't be read: ${reason}`, "invalid-message"),
  // protocol.md §11.21
  noRoomForChunk: (agentType: string) =>
    mayBeHandled(
      `A chunk of agent type ${agentType} found the host's queue towards its reader full. Read faster.`,
      "overloaded",
    ),
  noRoomForGrant: (agentType: string) =>
    mayBeHandled(
      `The link to the host of agent type ${agentType} has no space for what the reader has granted. Make fewer streams at once.`,
      "overloaded",
    ),
  unreadableChunk: (agentType: string, reason: string) =>
    mayBeHandled(`A chunk of agent type ${agentType} can't be read: ${reason}`, "invalid-message"),
  notGranted: (agentType: string) =>
    mayBeHandled(`Agent type ${agentType} sent a chunk that the reader had not granted.`, "invalid-message"),
  requestTooLarge: (agentType: string, bytes: number, maxBytes: number) =>
    undeliverable(
      `The request of ${bytes} bytes exceeds what the worker of agent type ${agentType} can receive${limitText(maxBytes)}.`,
      "message-too-large",
    ),
  answerTooLarge: (agentType: string, bytes: number, maxBytes: number) =>
    mayBeHandled(
      `The answer of agent type ${agentType} has ${bytes} bytes and exceeds what the caller can receive${limitText(maxBytes)}.`,
      "message-too-large",
    ),
  // protocol.md §7
  /** The target's worker is one of .NET's, and has opened its channel again. */
  needsRestart: (agentType: string) =>
    undeliverable(
      `The .NET worker of agent type ${agentType} has opened its channel again; from then on its answers are lost. Restart that worker.`,
    ),
  /** `what`: the predicate of a sentence about the request. */
  notProtobuf: (agentType: string, what: string) =>
    undeliverable(
      `Agent type ${agentType} is served by a .NET worker, which reads protobuf alone; the request ${what}. ` +
        "Define the message in a .proto file, and send it as a type of protobufMessage(Schema) from troupe/protobuf. AutoGen's Python workers send calls as JSON alone; let them publish events.",
      "invalid-message",
    ),
  notPortable: (agentType: string, which: "target" | "source") =>
    undeliverable(
      `Agent type ${agentType} is served by a .NET worker, which refuses the id of the request's ${which}. ` +
        "Types must be ASCII letters, digits and _, without a digit first (isPortableAgentType); keys must be printable ASCII.",
      "invalid-message",
    ),
  // protocol.md §7: what callers of .NET's get in place of an answer that they can't read.
  /** The target's own error. */
  ofTarget: (text: string, code: ErrorCode) => mayBeHandled(text, code),
  inDoubt: (agentType: string) =>
    mayBeHandled(
      `The state store of the host can't say whether it has written what agent type ${agentType} has changed for this call. Load the state, and try again if that is missing.`,
      "state-unknown",
    ),
  voidAnswer: (agentType: string) =>
    mayBeHandled(
      `Agent type ${agentType} has handled the call and answered nothing; .NET's callers need a protobuf message. Let its handler answer one.`,
      "unexpected-answer",
    ),
  foreignAnswer: (agentType: string, what: string) =>
    mayBeHandled(
      `Agent type ${agentType} has answered a ${what}; .NET's callers read protobuf alone. Let its handler answer a type of protobufMessage(Schema) from troupe/protobuf. AutoGen's Python agents answer JSON alone.`,
      "unexpected-answer",
    ),
} as const;

/** Encodes the answer that carries a failure, under the caller's own request id. */
export function failureAnswer(requestId: string, failure: CallFailure, isForTroupe: boolean): Uint8Array {
  return encodeFrame({
    kind: "response",
    requestId,
    payload: undefined,
    error: shortened(failure.text),
    metadata: {
      [metadataKey.errorType]: failure.errorType,
      [metadataKey.errorCode]: failure.code,
      ...(isForTroupe && failure.notHandled && { [metadataKey.notHandled]: "1" }),
      ...(isForTroupe && failure.retryMs !== undefined && { [metadataKey.retryMs]: String(failure.retryMs) }),
    },
  });
}

/** Cuts a text that holds a long name of the caller's. The conversion to bytes mends a character that the cut halved. */
export function shortened(text: string): string {
  return text.length <= limits.errorChars ? text : `${Buffer.from(text.slice(0, limits.errorChars)).toString()}…`;
}

function goneText(agentType: string): string {
  return `Client for agent type ${agentType} disconnected.`;
}

function limitText(maxBytes: number): string {
  return Number.isFinite(maxBytes) ? ` (${maxBytes} bytes)` : "";
}
