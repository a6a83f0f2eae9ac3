import type { HandlerContext } from "../../core/internal.ts";
import { type AgentId, errorText, type TraceCarrier } from "../../core/internal.ts";
import { type ResponseFrame, toWireError, type WireMetadata } from "../../protocol/internal.ts";
import type { Outbox } from "../connection/outbox.ts";
import type { WorkerParts } from "../worker-parts.ts";
import type { Work } from "./in-flight.ts";

const noMetadata: WireMetadata = Object.freeze({});

/** The answer owed for one call: the first outcome is sent, later ones are not. */
export class PendingResponse implements Work {
  readonly requestId: string;
  workSlot = 0;
  owedSlot = 0;
  /** Trace context of the span that handles the call. */
  carrier: TraceCarrier | undefined;
  /** While it is parked: called when its handler need not run any more. */
  onGivenUp: (() => void) | undefined;
  readonly #outbox: Outbox;
  readonly #parts: WorkerParts;
  #context: HandlerContext | undefined;
  #abortReason: Error | undefined;
  #isPaid = false;
  #isCancelled = false;

  constructor(requestId: string, outbox: Outbox, parts: WorkerParts) {
    this.requestId = requestId;
    this.#outbox = outbox;
    this.#parts = parts;
  }

  /** An answer that can't be written or is too large becomes a failure. */
  succeed(result: unknown, target: AgentId, sender: AgentId | undefined): void {
    if (this.#isPaid) return;
    const { registry, settings, log } = this.#parts;
    const payload = registry.encode(result, settings.preferredContentType);
    log?.message("MessageKind.RESPOND", "DeliveryStage.SEND", { message: result, sender: target, receiver: sender });
    const metadata = this.carrier ?? noMetadata;
    this.#outbox.send({ kind: "response", requestId: this.requestId, payload, error: "", metadata });
    this.#isPaid = true;
  }

  fail(thrown: unknown): void {
    if (this.#isPaid) return;
    this.#isPaid = true;
    try {
      this.#sendFailure(thrown);
    } catch (cause) {
      this.#parts.settings.logger.warn(`The answer to a call could not be sent: ${errorText(cause)}`);
      this.#explain(cause);
    }
  }

  /** A failure too long to be sent is replaced by one that says so. */
  #explain(cause: unknown): void {
    try {
      this.#sendFailure(cause);
    } catch {
      this.#parts.counts.unsentAnswers += 1;
    }
  }

  /** Throws what the outbox throws. */
  #sendFailure(thrown: unknown): void {
    const { error, metadata } = toWireError(thrown, { withStack: this.#parts.settings.sendsStacks });
    const frame: ResponseFrame = {
      kind: "response",
      requestId: this.requestId,
      payload: undefined,
      error,
      metadata: { ...this.carrier, ...metadata },
    };
    this.#outbox.send(frame);
  }

  /** The handler is about to run; what has happened to its call meanwhile it is told. */
  begin(context: HandlerContext): void {
    this.#context = context;
    if (this.#abortReason !== undefined) context.abort(this.#abortReason);
  }

  /** The caller has given it up, and the handler was told. */
  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  leavesBy(outbox: Outbox): boolean {
    return this.#outbox === outbox;
  }

  abandon(reason: Error): void {
    this.fail(reason);
    this.#abort(reason);
  }

  /** Nobody wants the answer any more: none is sent. */
  cancel(reason: Error): void {
    this.#isCancelled = true;
    this.#isPaid = true;
    this.#abort(reason);
  }

  #abort(reason: Error): void {
    this.#abortReason ??= reason;
    this.onGivenUp?.();
    this.#context?.abort(reason);
  }
}
