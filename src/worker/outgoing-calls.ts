import {
  assertAnswer,
  boundsOf,
  type Deadline,
  deadlineAfter,
  errorBeforeSend,
  HandlerContext,
  type OwnBounds,
  PendingCalls,
  remainingMs,
} from "../core/delivery/index.ts";
import {
  type AgentId,
  type CancelledError,
  DropMessage,
  MessageDroppedException,
  type MessageType,
  messageTypeText,
  type SendOptions,
  type TimedOutError,
  type TraceCarrier,
  UndeliverableException,
} from "../core/index.ts";
import {
  encodeFrame,
  fromWireError,
  isVoidPayload,
  type RequestFrame,
  type ResponseFrame,
  timeoutMetadata,
  toWireAgentId,
} from "../protocol/index.ts";
import { withAdvice } from "./advice.ts";
import { toCancelReason } from "./cancel-reason.ts";
import type { Waiting } from "./departures.ts";
import type { Outbox, UndeliverableReason } from "./outbox.ts";
import { traced } from "./traced.ts";
import type { WorkerParts } from "./worker-parts.ts";

export type CallOptions = SendOptions & { readonly answer?: MessageType | undefined };

/** A call that has left, or waits to. */
interface PostedCall {
  readonly answer: Promise<ResponseFrame>;
  /** Where it has left, once it has. */
  sentBy: Outbox | undefined;
}

/** The calls this worker makes. Each has exactly one outcome: the answer, an error, its timeout, its signal, or the end of the connection. */
export class OutgoingCalls {
  readonly #parts: WorkerParts;
  readonly #pending: PendingCalls<ResponseFrame>;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    this.#pending = new PendingCalls({ clock: parts.settings.clock });
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Sends and awaits. What fails before the frame has left (encoding, size, connection) leaves nothing behind (W3). */
  send(message: unknown, recipient: AgentId, options: CallOptions): Promise<unknown> {
    const { tracing } = this.#parts.settings;
    if (tracing === undefined) return this.#call(message, recipient, options);
    const details = { destination: recipient, messageType: messageTypeText(message) };
    return tracing.span("create", details, () => this.#call(message, recipient, options));
  }

  /** An answer from the host; one that nobody waits for is counted (W9). */
  onResponse(frame: ResponseFrame): void {
    if (this.#pending.resolve(frame.requestId, frame)) return;
    this.#parts.counts.unexpectedAnswers += 1;
    this.#parts.settings.logger.debug("An answer came for a call that nobody waits for.");
  }

  /** The answer to this call came, but can't be read. False: nobody waits for it. */
  reject(requestId: string, error: Error): boolean {
    return this.#pending.reject(requestId, error);
  }

  /** Calls that left by this connection have no answer any more. */
  connectionEnded(outbox: Outbox, reason: string): void {
    for (const requestId of [...outbox.asked]) {
      const text = `${reason} The call may have been handled.`;
      this.#pending.reject(requestId, new UndeliverableException(text, { code: "disconnected" }));
    }
  }

  rejectAll(reason: UndeliverableReason): void {
    this.#pending.rejectAll(() => new UndeliverableException(reason.text, { code: reason.code }));
  }

  async #call(original: unknown, recipient: AgentId, options: CallOptions): Promise<unknown> {
    const { registry, interventions, settings, log } = this.#parts;
    const { sender } = options;
    const message = interventions.seesSend ? await this.#intervened(original, recipient, options) : original;
    const bounds = boundsOf(options, settings);
    const tooLate = errorBeforeSend(bounds, recipient);
    if (tooLate !== undefined) throw tooLate;
    const payload = registry.encode(message, settings.preferredContentType);
    const promised = options.answer ?? registry.typeOf(message, settings.preferredContentType)?.answer;
    if (promised !== undefined && !registry.has(promised.typeName, promised.contentType)) registry.add(promised);
    log?.message("MessageKind.DIRECT", "DeliveryStage.SEND", { message, sender, receiver: recipient });
    const requestId = settings.requestIdPrefix + this.#parts.nextRequestId();
    const source = sender === undefined ? undefined : toWireAgentId(sender);
    const metadata = { ...settings.tracing?.inject(), ...timeoutMetadata(bounds.timeoutMs) };
    const target = toWireAgentId(recipient);
    const request: RequestFrame = { kind: "request", requestId, source, target, payload, metadata };
    const bytes = encodeFrame(request);
    const call = traced(settings.tracing, "send", { destination: recipient, link: metadata }, () =>
      this.#post(request, bytes, bounds, recipient),
    );
    let frame: ResponseFrame;
    try {
      frame = await call.answer;
    } finally {
      call.sentBy?.forget(requestId);
    }
    return this.#ack(frame, recipient, sender, promised);
  }

  /** Sends, or lets it wait for room or for a host within the call's own bounds. Throws what can't be sent (W3). */
  #post(request: RequestFrame, bytes: Uint8Array, bounds: OwnBounds, recipient: AgentId): PostedCall {
    const { requestId } = request;
    const { departures, settings } = this.#parts;
    let waiting: Waiting | undefined;
    const onGivenUp = (error: TimedOutError | CancelledError) => {
      if (waiting !== undefined) departures.takeBack(waiting);
      call.sentBy?.cancelCall(requestId, toCancelReason(error));
    };
    const { signal, timeoutMs } = bounds;
    const answer = this.#pending.open(requestId, { timeoutMs, signal, recipient, onGivenUp });
    const call: PostedCall = { answer, sentBy: undefined };
    const onSent = (outbox: Outbox) => {
      call.sentBy = outbox;
      outbox.ask(requestId);
    };
    const onFailed = (error: unknown) => this.#pending.reject(requestId, error);
    try {
      waiting = departures.post({ kind: "call", bytes, onSent, onFailed });
      if (waiting !== undefined) waiting.renew = renewing(request, deadlineAfter(timeoutMs, settings.clock));
    } catch (error) {
      answer.catch(() => undefined);
      onFailed(error);
      throw error;
    }
    return call;
  }

  async #intervened(message: unknown, recipient: AgentId, options: CallOptions): Promise<unknown> {
    const { sender, signal, messageId = this.#parts.settings.makeId() } = options;
    const messageContext = new HandlerContext({ sender, topicId: undefined, isRpc: true, messageId, signal });
    try {
      const result = await this.#parts.interventions.onSend(message, { messageContext, recipient });
      if (result !== DropMessage) return result;
      this.#parts.log?.dropped("MessageKind.DIRECT", { message, sender, receiver: recipient });
      throw new MessageDroppedException();
    } finally {
      messageContext.release();
    }
  }

  #ack(
    frame: ResponseFrame,
    recipient: AgentId,
    sender: AgentId | undefined,
    promised: MessageType | undefined,
  ): Promise<unknown> {
    const link: TraceCarrier = frame.metadata;
    const details = {
      link,
      messageType: frame.payload?.typeName,
      attributes: () => ({ request_id: frame.requestId }),
    };
    return traced(this.#parts.settings.tracing, "ack", details, () => this.#open(frame, recipient, sender, promised));
  }

  async #open(
    frame: ResponseFrame,
    recipient: AgentId,
    sender: AgentId | undefined,
    promised: MessageType | undefined,
  ): Promise<unknown> {
    if (frame.error !== "") throw fromWireError(withAdvice(frame.error), frame.metadata);
    const { registry, interventions, log } = this.#parts;
    const { payload } = frame;
    let answer = isVoidPayload(payload)
      ? undefined
      : registry.decode(payload.typeName, payload.contentType, payload.data);
    if (interventions.seesResponse) {
      const result = await interventions.onResponse(answer, { sender: recipient, recipient: sender });
      if (result === DropMessage) {
        log?.dropped("MessageKind.RESPOND", { message: answer, sender: recipient, receiver: sender });
        throw new MessageDroppedException();
      }
      answer = result;
    }
    assertAnswer(answer, promised, recipient);
    log?.message("MessageKind.RESPOND", "DeliveryStage.DELIVER", {
      message: answer,
      sender: recipient,
      receiver: sender,
    });
    return answer;
  }
}

/** The call with the time that is left to it then (protocol.md §11.4); undefined: it has all the time. */
function renewing(request: RequestFrame, deadline: Deadline | undefined): (() => Uint8Array) | undefined {
  if (deadline === undefined) return undefined;
  return () => {
    const left = timeoutMetadata(Math.max(1, remainingMs(deadline)));
    return encodeFrame({ ...request, metadata: { ...request.metadata, ...left } });
  };
}
