import {
  type AgentId,
  type CodecRegistry,
  errorText,
  type HandlerContext,
  loggableText,
  type MessageLog,
  movedError,
  type TraceCarrier,
  TroupeError,
} from "../../core/internal.ts";
import {
  chunksMetadata,
  encodeFrame,
  metadataKey,
  type ResponseFrame,
  type ReturnReason,
  type StuckFrame,
  toWireError,
  type UnstuckFrame,
  type WireMetadata,
} from "../../protocol/internal.ts";
import type { Claim, PlacedMessage } from "../claims/claim.ts";
import type { Claims } from "../claims/claims.ts";
import { sendBack } from "../claims/returning.ts";
import { assertLength, type Outbox } from "../connection/outbox.ts";
import type { StateStream } from "../connection/streams/state-stream.ts";
import type { WorkerCounters } from "../worker-counters.ts";
import type { WorkerSettings } from "../worker-options.ts";
import type { Work } from "./in-flight.ts";
import { OutgoingChunks } from "./outgoing-chunks.ts";

export interface PendingResponseOptions {
  readonly settings: Pick<WorkerSettings, "logger" | "preferredContentType" | "sendsStacks">;
  readonly registry: CodecRegistry;
  readonly log: MessageLog | undefined;
  readonly counts: WorkerCounters;
  readonly claims: Claims;
}

const noMetadata: WireMetadata = Object.freeze({});

/** The answer owed for one call. It sends the first outcome and ignores later ones. */
export class PendingResponse implements Work {
  readonly requestId: string;
  workSlot = 0;
  owedSlot = 0;
  /** Trace context of the span of the handler. */
  carrier: TraceCarrier | undefined;
  /** Called when the handler need not run any more. Set while the call is parked. */
  onGivenUp: (() => void) | undefined;
  /** When the call came, for its wait for a lease. */
  arrivedMs: number | undefined;
  /** Bytes of the call as it came: its metadata may be longer than its message. */
  byteLength = 0;
  /** Sends the chunks of the answer. Undefined: the caller reads none. */
  chunks: OutgoingChunks | undefined;
  /** Whether no caller reads the answer: it goes without a value. */
  isUnread = false;
  /** Whether the call needs no handler slot: the runtime answers it. */
  hasNoSlot = false;
  readonly #outbox: Outbox;
  readonly #options: PendingResponseOptions;
  /** The call as it came, if the host has placed its agent here. */
  readonly #placed: PlacedMessage | undefined;
  #context: HandlerContext | undefined;
  #abortReason: Error | undefined;
  #isPaid = false;
  #isCancelled = false;
  #isGivenBack = false;
  /** The answer as it was to leave with a commit. It leaves by the data channel if there was nothing to write. */
  #encoded: Uint8Array | undefined;
  #hasCommit = false;

  constructor(requestId: string, outbox: Outbox, options: PendingResponseOptions, placed?: PlacedMessage) {
    this.requestId = requestId;
    this.#placed = placed;
    this.#outbox = outbox;
    this.#options = options;
  }

  get agentId(): AgentId | undefined {
    return this.#context?.agentId;
  }

  get claim(): Claim | undefined {
    return this.#placed?.claim;
  }

  get isAwaited(): boolean {
    return this.#placed?.isAwaited === true;
  }

  get mayGoBack(): boolean {
    const context = this.#context;
    return context === undefined || !context.isAtAgent || context.isWaiting;
  }

  get context(): HandlerContext | undefined {
    return this.#context;
  }

  /** Whether the caller has given the call up, and the handler knows. */
  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  /** Sends the answer, or a failure when the answer cannot be encoded or is too large. Never throws. */
  succeed(result: unknown, target: AgentId, sender: AgentId | undefined): void {
    if (this.#isOver()) return;
    try {
      const { log } = this.#options;
      const encoded = this.#encoded;
      const payload = encoded === undefined ? this.#payloadOf(result) : undefined;
      log?.message("MessageKind.RESPOND", "DeliveryStage.SEND", { message: result, sender: target, receiver: sender });
      const metadata = this.carrier ?? noMetadata;
      if (encoded !== undefined) this.#outbox.write(encoded);
      else this.#outbox.send({ kind: "response", requestId: this.requestId, payload, error: "", metadata });
      this.#isPaid = true;
    } catch (error) {
      this.fail(error);
    }
  }

  // protocol.md §11.15
  /**
   * Encodes the answer, so that it leaves with a commit. Undefined: no answer is due any more. Throws for an answer that can't be
   * encoded or is too large.
   */
  encode(result: unknown): Uint8Array | undefined {
    if (this.#isOver()) return undefined;
    const payload = this.#payloadOf(result);
    const { chunks } = this;
    const carried = this.carrier ?? noMetadata;
    // The chunks go another way, on which the host may get them later.
    const metadata = chunks?.hasSent === true ? { ...carried, ...chunksMetadata(chunks.count) } : carried;
    const bytes = encodeFrame({ kind: "response", requestId: this.requestId, payload, error: "", metadata });
    assertLength(bytes, this.#outbox.maxBytes);
    this.#encoded = bytes;
    return bytes;
  }

  /** The worker's own store begins to write the call's turn. */
  beginCommit(): void {
    this.#hasCommit = true;
  }

  /** The host has let the answer go with a commit. */
  left(result: unknown, target: AgentId, sender: AgentId | undefined): void {
    this.#isPaid = true;
    const { log } = this.#options;
    log?.message("MessageKind.RESPOND", "DeliveryStage.SEND", { message: result, sender: target, receiver: sender });
  }

  /** The way by which the answer can leave with a commit. Undefined: the connection has ended. */
  get states(): StateStream | undefined {
    return this.#outbox.isClosed ? undefined : this.#outbox.states;
  }

  /** Sends the failure. `notHandled`: no handler has seen the call. Never throws. */
  fail(thrown: unknown, notHandled = false): void {
    if (this.#isOver()) return;
    this.#isPaid = true;
    try {
      this.#sendFailure(thrown, this.#outbox.host.isAnnounced, notHandled);
    } catch (cause) {
      const kind = "The answer to a call could not be sent";
      this.#options.settings.logger.warn(loggableText(`${kind}: ${errorText(cause)}`), undefined, kind);
      this.#explain(cause);
    }
  }

  // protocol.md §11.17
  /** Gives the call back to the host, which places it anew. The worker sends no answer. If it can't go back, its caller gets an error. */
  goBack(reason: ReturnReason): void {
    const placed = this.#placed;
    if (placed === undefined || this.#isGivenBack) return;
    this.#isGivenBack = true;
    const moved = movedError(placed.claim.id);
    const isOver = this.#isOver();
    if (!isOver && !sendBack(this.#options.claims, this.#outbox, { ...placed, reason })) this.fail(moved, true);
    this.#isPaid = true;
    this.#abort(moved);
  }

  // protocol.md §11.19 E7
  /** The connection of the call has ended, and no handler has seen it: none will. */
  drop(): void {
    const placed = this.#placed;
    if (placed === undefined) return;
    this.#isGivenBack = true;
    this.#isPaid = true;
    this.#abort(movedError(placed.claim.id));
  }

  /** Takes the context of the handler before it runs. Aborts it if the caller has given the call up. */
  begin(context: HandlerContext): void {
    this.#context = context;
    if (this.#abortReason !== undefined) context.abort(this.#abortReason);
  }

  /** Makes what sends the chunks of a call with this metadata, if its caller reads them. */
  openChunks(metadata: WireMetadata): OutgoingChunks | undefined {
    const { registry, settings } = this.#options;
    this.chunks = OutgoingChunks.of({ requestId: this.requestId, outbox: this.#outbox, registry, settings }, metadata);
    return this.chunks;
  }

  /** Tells the host of the call how long it waits for its turn. */
  sayStuck(report: StuckFrame | UnstuckFrame): void {
    if (!this.#isOver()) this.#outbox.sayStuck(report);
  }

  /** Whether the answer leaves by this connection. */
  leavesBy(outbox: Outbox): boolean {
    return this.#outbox === outbox;
  }

  /** Gives the work up: answers with the reason and aborts the handler. */
  abandon(reason: Error): void {
    // The answer waits for a commit that is not decided yet: it may be written after this.
    const hasCommit = this.#hasCommit || this.#encoded !== undefined;
    const isUndecided = hasCommit && reason instanceof TroupeError && reason.code === "shutting-down";
    this.fail(isUndecided ? undecided(reason) : reason, !this.hasBegun);
    this.#abort(reason);
  }

  /** Gives the call up: sends no answer, because no caller waits for one, and aborts the handler. */
  cancel(reason: Error): void {
    this.#isCancelled = true;
    this.#isPaid = true;
    this.#abort(reason);
  }

  /** Whether its handler has begun. A parked call has no context yet. */
  get hasBegun(): boolean {
    return this.#context?.hasBegun === true;
  }

  #payloadOf(result: unknown) {
    const { registry, settings } = this.#options;
    return registry.encode(this.isUnread ? undefined : result, settings.preferredContentType);
  }

  /** Whether no answer is due any more. The host answers the calls of a connection that has ended. */
  #isOver(): boolean {
    return this.#isPaid || this.#outbox.isClosed;
  }

  /** Sends a failure that says that the first one could not be sent. */
  #explain(cause: unknown): void {
    try {
      this.#sendFailure(cause, false, false);
    } catch {
      this.#options.counts.unsentAnswers += 1;
    }
  }

  /** Sends a failure, with the detail of the error if the frame is not too long. Throws as the outbox throws. */
  #sendFailure(thrown: unknown, withDetail: boolean, notHandled: boolean): void {
    const { error, metadata } = toWireError(thrown, { withStack: this.#options.settings.sendsStacks, withDetail });
    const frame: ResponseFrame = {
      kind: "response",
      requestId: this.requestId,
      payload: undefined,
      error,
      metadata: {
        ...this.carrier,
        ...metadata,
        ...(notHandled && this.#outbox.host.isAnnounced && { [metadataKey.notHandled]: "1" }),
      },
    };
    const { [metadataKey.errorDetail]: detail, ...rest } = frame.metadata;
    const isTooLong = detail !== undefined && encodeFrame(frame).length > this.#outbox.maxBytes;
    this.#outbox.send(isTooLong ? { ...frame, metadata: rest } : frame);
  }

  #abort(reason: Error): void {
    this.#abortReason ??= reason;
    this.onGivenUp?.();
    this.#context?.abort(reason);
  }
}

function undecided(reason: TroupeError): TroupeError {
  const text = `${errorText(reason)} The state of the call's turn was being written, and may have been.`;
  return new TroupeError("state-unknown", `${text} Load the state, or send the call again with an idempotency key.`);
}
