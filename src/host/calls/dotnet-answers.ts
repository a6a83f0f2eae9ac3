import { type ErrorCode, type Logger, loggableText, TroupeError } from "../../core/internal.ts";
import {
  decodeFrame,
  encodeFrame,
  flawForProtobuf,
  fromWireError,
  isVoidPayload,
  type PeekedResponse,
  rpcStatusPayload,
} from "../../protocol/internal.ts";
import { StatusCode } from "../../transport/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { DotnetWorker } from "../sessions/dotnet-worker.ts";
import type { Peer } from "../sessions/peer.ts";
import { type CallFailure, callFailure, shortened } from "./call-failures.ts";

export interface DotnetAnswersParts {
  readonly dotnetErrors: "withhold" | "status";
  readonly counters: MutableHostCounters;
  readonly logger: Logger | undefined;
}

// protocol.md §7
/**
 * Answers for callers of .NET's, whose reader takes protobuf payloads alone: it ends on an error, and its worker is of no use any
 * more. The option `dotnetErrors` decides what such a caller gets in its place.
 */
export class DotnetAnswers {
  readonly #parts: DotnetAnswersParts;

  constructor(parts: DotnetAnswersParts) {
    this.#parts = parts;
  }

  /** Says what goes wrong with a target's answer at a caller of .NET's; undefined: its reader takes the answer. */
  flawOf(response: PeekedResponse, agentType: string): CallFailure | undefined {
    try {
      const frame = decodeFrame(response.bytes);
      if (frame.kind !== "response") return callFailure.unreadableAnswer(agentType, "its bytes are no answer.");
      const { error, metadata, payload } = frame;
      if (error !== "") return callFailure.ofTarget(error, TroupeError.from(fromWireError(error, metadata)).code);
      if (isVoidPayload(payload)) return callFailure.voidAnswer(agentType);
      if (flawForProtobuf(payload) === undefined) return undefined;
      const what = `${loggableText(payload.typeName)}, ${loggableText(payload.contentType)}`;
      return callFailure.foreignAnswer(agentType, what);
    } catch {
      return callFailure.unreadableAnswer(agentType, "its bytes are no answer.");
    }
  }

  /** Writes a failure as its caller can read it. Undefined: the caller gets no answer; that is counted, and logged once. */
  write(caller: Peer, worker: DotnetWorker, requestId: string, failure: CallFailure): Uint8Array | undefined {
    if (this.#parts.dotnetErrors === "withhold") return this.#withhold(caller, worker, failure);
    const payload = rpcStatusPayload(statusCodes[failure.code] ?? StatusCode.unknown, shortened(failure.text));
    return encodeFrame({ kind: "response", requestId, payload, error: "", metadata: {} });
  }

  #withhold({ id: clientId }: Peer, worker: DotnetWorker, { text, code }: CallFailure): undefined {
    const { counters, logger } = this.#parts;
    counters.withheldAnswers += 1;
    if (worker.isNamedForAnswers) return;
    worker.isNamedForAnswers = true;
    logger?.warn("an answer is withheld from a .NET worker, whose reader would end on it; its call waits on", {
      ...{ clientId, answer: text, code },
      advice:
        "Set time limits in that worker, and let agents that it calls answer with protobuf. If it registers google.rpc.Status, start the host with --dotnet-errors status.",
    });
  }
}

/** The nearest gRPC status of each error code; of any other it is UNKNOWN. */
const statusCodes: { readonly [code in ErrorCode]?: number } = {
  undeliverable: StatusCode.notFound,
  disconnected: StatusCode.unavailable,
  "shutting-down": StatusCode.unavailable,
  overloaded: StatusCode.resourceExhausted,
  "message-too-large": StatusCode.resourceExhausted,
  "timed-out": StatusCode.deadlineExceeded,
  cancelled: StatusCode.cancelled,
  "cant-handle": StatusCode.unimplemented,
  "invalid-message": StatusCode.invalidArgument,
  "invalid-tool-arguments": StatusCode.invalidArgument,
  "tool-not-found": StatusCode.notFound,
  "not-authorized": StatusCode.permissionDenied,
  "unexpected-answer": StatusCode.internal,
};
