import { type AgentName, followAbort, type MakeId, TroupeError, unfollowAbort } from "../../core/internal.ts";
import {
  decodeFrame,
  encodeFrame,
  fromWireError,
  isVoidPayload,
  metadataKey,
  peekFrame,
  type ResponseFrame,
  type WirePayload,
} from "../../protocol/internal.ts";
import type { MemoryAccountant } from "../../transport/internal.ts";
import { type CallFailure, callFailure, failureAnswer } from "../calls/call-failures.ts";
import type { CallRouter } from "../calls/call-router.ts";
import { OutsideSender, type Publisher, type SenderBounds, whyNotFrom } from "./outside-sender.ts";

export interface OutsideCallsParts extends SenderBounds {
  readonly calls: Pick<CallRouter, "route" | "ends">;
  /** Opens the account of one call. */
  readonly accountant: Pick<MemoryAccountant, "openAccount">;
  readonly makeId: MakeId;
}

/** A call of a caller that is not a worker. It names no agent as its sender. */
export interface OutsideCall {
  readonly agent: AgentName;
  readonly payload: WirePayload;
  /** The trace that the caller records, as W3C says. Undefined: it records none. */
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
  readonly timeoutMs: number;
  /** Bytes of the longest answer. */
  readonly maxAnswerBytes: number;
}

/** Memory of a call beside its bytes: its sender and its promise. */
const callBytes = 2_000;
/** Every sender has one call, so that its request id need not differ from those of others. */
const requestId = "1";

/** Takes calls from callers that are no workers, under the rules and quotas of all callers. */
export class OutsideCalls {
  readonly #parts: OutsideCallsParts;

  constructor(parts: OutsideCallsParts) {
    this.#parts = parts;
  }

  /**
   * Calls an agent. Resolves to its answer; undefined if the handler has answered with nothing. Rejects with the typed error that a worker would
   * get. Rejects with the reason of `signal`; its handler is told then that its caller has gone.
   */
  async call(caller: Publisher, asked: OutsideCall, signal: AbortSignal): Promise<WirePayload | undefined> {
    signal.throwIfAborted();
    const { calls, access, quotas, accountant, makeId } = this.#parts;
    const quota = quotas?.of(caller.principal, caller.party);
    const request = requestOf(asked);
    let settle: (answer: ResponseFrame) => void = () => undefined;
    const answered = new Promise<ResponseFrame>((resolve) => {
      settle = resolve;
    });
    const from = new OutsideSender(caller, {
      ...{ accountant, id: makeId(), name: "call over HTTP", quota },
      traits: { capabilities: new Set(), maxFrameBytes: asked.maxAnswerBytes },
      onAnswer: (response, bytes) => {
        // What is made of it takes as much again.
        settle(from.account.take(2 * bytes) ? response : failed(callFailure.noRoom(from.account.whyNot(2 * bytes))));
        return "queued";
      },
    });
    const leave = (): void => {
      calls.ends.cancel(from, { kind: "cancel", requestId, reason: "cancelled" });
      settle(failed(callFailure.notReached(asked.agent.type)));
    };
    followAbort(signal, leave);
    try {
      const bytes = request.bytes.length + callBytes;
      const sending = { action: "call", resource: asked.agent.type, bytes: request.bytes.length } as const;
      const refusal = from.account.take(bytes)
        ? whyNotFrom(caller, { clientId: from.id, quota, access }, sending)
        : callFailure.noRoom(from.account.whyNot(bytes));
      if (refusal === undefined) calls.route(from, request);
      const { error, metadata, payload } = refusal === undefined ? await answered : failed(refusal);
      signal.throwIfAborted();
      if (error === "") return isVoidPayload(payload) ? undefined : payload;
      throw TroupeError.from(fromWireError(error, metadata, undefined));
    } finally {
      unfollowAbort(signal, leave);
      from.close();
    }
  }
}

/** The answer with which a host refuses a call. */
function failed(failure: CallFailure): ResponseFrame {
  const frame = decodeFrame(failureAnswer(requestId, failure, true));
  if (frame.kind !== "response") throw new TypeError("A refusal could not be encoded.");
  return frame;
}

function requestOf({ agent, payload, traceparent, tracestate, timeoutMs }: OutsideCall) {
  const trace = traceparent === undefined ? {} : { traceparent, ...(tracestate !== undefined && { tracestate }) };
  const metadata = { ...trace, [metadataKey.timeoutMs]: String(timeoutMs) };
  const frame = { kind: "request", requestId, source: undefined, target: agent, payload, metadata } as const;
  const peeked = peekFrame(encodeFrame(frame));
  if (peeked.kind !== "request") throw new TypeError("A call could not be encoded.");
  return peeked;
}
