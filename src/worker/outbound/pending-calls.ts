import { NumberMap, UndeliverableException } from "../../core/internal.ts";
import { type ChunkFrame, encodeFrame, type RequestFrame, type ResponseFrame } from "../../protocol/internal.ts";
import type { Outbox, UndeliverableReason } from "../connection/outbox.ts";
import type { WorkerSettings } from "../worker-options.ts";
import { mayHaveRun } from "./error-hints.ts";
import type { IncomingChunks } from "./incoming-chunks.ts";
import { OutgoingCall, renewing } from "./outgoing-call.ts";
import type { SendQueue } from "./send-queue.ts";
import type { TimedBounds } from "./timed-bounds.ts";
import { traced } from "./traced.ts";

export interface PendingCallsOptions {
  readonly settings: Pick<WorkerSettings, "requestIdPrefix" | "tracing">;
  readonly sendQueue: SendQueue;
  /** Returns 1, 2, …; calls and generation 1's registrations share the sequence. */
  readonly nextRequestNumber: () => number;
}

/** The calls of this worker that wait to leave, or for their answer, by the number in their request ids. */
export class PendingCalls {
  readonly #parts: PendingCallsOptions;
  readonly #calls = new NumberMap<OutgoingCall>();

  constructor(parts: PendingCallsOptions) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#calls.size;
  }

  nextRequestId(): string {
    return this.#parts.settings.requestIdPrefix + this.#parts.nextRequestNumber();
  }

  /**
   * Sends a call, or queues it within its bounds, and resolves to its answer. Rejects with what can't be sent. `bytes`: those that leave. Default:
   * the call's own. `chunks` takes those of a stream.
   */
  async answerTo(
    request: RequestFrame,
    timed: TimedBounds,
    bytes: Uint8Array = encodeFrame(request),
    chunks?: IncomingChunks,
  ): Promise<ResponseFrame> {
    const { settings, sendQueue } = this.#parts;
    const call = new OutgoingCall(request, bytes, sendQueue, chunks);
    const number = this.#numberIn(request.requestId);
    this.#calls.add(number, call);
    try {
      try {
        if (settings.tracing === undefined) this.#post(call, timed);
        else this.#postTraced(call, timed);
      } catch (error) {
        call.takeBack(error);
        throw error;
      }
      return await call.promise;
    } finally {
      this.#calls.delete(number);
      call.sentBy?.forget();
    }
  }

  /** Takes an answer. Returns false when no call waits for it. */
  resolve(frame: ResponseFrame): boolean {
    return this.#waitingFor(frame.requestId)?.resolve(frame) ?? false;
  }

  /** Takes a chunk. Returns false when no call waits for it. */
  takeChunk(frame: ChunkFrame): boolean {
    const call = this.#waitingFor(frame.requestId);
    if (call?.chunks === undefined || call.isSettled) return false;
    call.chunks.take(frame);
    return true;
  }

  /** Ends the stream of a chunk that can't be read. */
  refuseChunk(requestId: string, error: Error): void {
    this.#waitingFor(requestId)?.chunks?.refuse(error);
  }

  /** Ends a call with an error. Returns false when the call does not wait. */
  reject(requestId: string, error: Error): boolean {
    return this.#waitingFor(requestId)?.reject(error) ?? false;
  }

  /** Calls that left by this connection have no answer any more. */
  connectionEnded(outbox: Outbox, reason: string): void {
    const text = `${reason} ${mayHaveRun}`;
    for (const call of this.#calls.values()) {
      if (call.sentBy === outbox) call.reject(new UndeliverableException(text, { code: "disconnected" }));
    }
  }

  rejectAll({ code, text }: UndeliverableReason): void {
    const sent = `${text} ${mayHaveRun}`;
    for (const call of this.#calls.values()) call.reject(new UndeliverableException(sent, { code }));
  }

  /** Whether a call with this source and target has left and waits for its answer. Looks at all calls. */
  isMaking({ source, target }: RequestFrame): boolean {
    if (source === undefined) return false;
    for (const { sentBy, request } of this.#calls.values())
      if (sentBy !== undefined && isSameAgent(request.target, target) && isSameAgent(request.source, source))
        return true;
    return false;
  }

  #waitingFor(requestId: string): OutgoingCall | undefined {
    const call = this.#calls.get(this.#numberIn(requestId));
    return call?.request.requestId === requestId ? call : undefined;
  }

  #numberIn(requestId: string): number {
    return Number(requestId.slice(this.#parts.settings.requestIdPrefix.length));
  }

  #postTraced(call: OutgoingCall, timed: TimedBounds): void {
    const details = { destination: timed.recipient, link: call.request.metadata };
    traced(this.#parts.settings.tracing, "send", details, () => this.#post(call, timed));
  }

  // W3
  #post(call: OutgoingCall, { bounds, deadline, recipient, isTold }: TimedBounds): void {
    const waiting = this.#parts.sendQueue.post(call);
    call.waiting = waiting;
    if (isTold) {
      call.deadline = deadline;
      if (waiting !== undefined) waiting.renew = renewing(call.request, deadline);
    }
    call.within(bounds, deadline, recipient);
  }
}

function isSameAgent(one: RequestFrame["target"], other: RequestFrame["target"]): boolean {
  return one?.type === other?.type && one?.key === other?.key;
}
