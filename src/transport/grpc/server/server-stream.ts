import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { FrameBytes } from "../../../protocol/internal.ts";
import type { MemoryAccount } from "../../accounting/memory-account.ts";
import type { ServerCall } from "../../calls/server-call.ts";
import type { MessageLimits } from "../../limits.ts";
import type { Metadata, ServerStream, ServerStreamReceiver, StreamEnd } from "../../link.ts";
import { toMetadataHeaders } from "../../metadata.ts";
import { RpcError, type RpcStatus, StatusCode } from "../../rpc-status.ts";
import { messageOf } from "../../system-error.ts";
import { afterRead } from "../connection/after-read.ts";
import type { DeliveryAcknowledgements } from "../connection/delivery-acknowledgements.ts";
import type { UnfinishedMessages } from "../connection/unfinished-messages.ts";
import { toTrailers } from "../framing/call-status.ts";
import type { Inflate } from "../framing/compression.ts";
import { MessagePipe } from "../framing/message-pipe.ts";
import type { MessageCounters } from "../framing/message-reader.ts";
import type { Lane } from "../turns/lane.ts";
import { GRPC_RESPONSE_HEADERS, refuse, release } from "./server-response.ts";

export interface ServerStreamOptions {
  readonly call: ServerCall;
  readonly limits: MessageLimits;
  /** Returns why the connection is gone; undefined while it is open. */
  readonly lossReason: () => string | undefined;
  /** Account of the connection, for all that the stream makes this side keep. */
  readonly account: MemoryAccount;
  readonly unfinished: UnfinishedMessages;
  readonly counters: MessageCounters;
  readonly lane: Lane;
  readonly acknowledgements: DeliveryAcknowledgements;
}

/** The server's side of one bidirectional call. */
export class GrpcServerStream implements ServerStream {
  readonly #http2: ServerHttp2Stream;
  readonly #call: ServerCall;
  readonly #pipe: MessagePipe;
  readonly #options: ServerStreamOptions;
  readonly #responseHeaders: OutgoingHttpHeaders;
  #status: RpcStatus | undefined;
  #areTrailersSent = false;

  /** Throws `RpcError` for response metadata that HTTP/2 cannot carry. */
  constructor(http2: ServerHttp2Stream, receiver: ServerStreamReceiver, options: ServerStreamOptions) {
    this.#responseHeaders = responseHeaders(receiver.responseMetadata);
    this.#http2 = http2;
    this.#call = options.call;
    this.#options = options;
    this.#pipe = new MessagePipe(http2, receiver, {
      limits: options.limits,
      account: options.account,
      unfinished: options.unfinished,
      onNoRoom: (account) => this.abort({ code: StatusCode.resourceExhausted, details: account.whyNot(0) }),
      counters: options.counters,
      lane: options.lane,
      onReceiverFailure: (error) =>
        this.finishNow({
          code: StatusCode.internal,
          details: `The receiver of this stream threw: ${messageOf(error)}`,
        }),
    });
    options.acknowledgements.follow(this.#pipe.writer);
    http2.once("wantTrailers", () => this.#sendTrailers());
    http2.once("aborted", () => this.#onAborted());
    http2.once("close", () => this.#onClose());
  }

  /** Sends the response headers unless the receiver answers later, hands it the stream and starts reading. */
  open(receiver: ServerStreamReceiver, inflate: Inflate): void {
    if (receiver.answersLater !== true) this.#http2.respond(this.#responseHeaders, { waitForTrailers: true });
    try {
      receiver.onOpen(this);
    } catch (error) {
      this.finishNow({ code: StatusCode.internal, details: `The receiver of this stream threw: ${messageOf(error)}` });
    }
    this.#pipe.startReading(inflate, () => receiver.onHalfClose());
  }

  get queuedBytes(): number {
    return this.#pipe.writer.queuedBytes;
  }

  get queuedFrames(): number {
    return this.#pipe.writer.queuedFrames;
  }

  get unsentFrames(): number {
    return this.#pipe.writer.unsentFrames;
  }

  get unconfirmedFrames(): number {
    return this.#pipe.writer.unconfirmedFrames;
  }

  beforeAsking(): () => void {
    return this.#pipe.writer.beforeAsking();
  }

  get unreadFrames(): number {
    return this.#pipe.unreadFrames;
  }

  get receivedBytes(): number {
    return this.#pipe.receivedBytes;
  }

  get maxSendBytes(): number {
    return this.#pipe.writer.maxSendBytes;
  }

  respond(metadata?: Metadata): void {
    const http2 = this.#http2;
    const headers = responseHeaders(metadata);
    if (this.#pipe.hasEnded || http2.headersSent || http2.destroyed || http2.closed) return;
    http2.respond(headers, { waitForTrailers: true });
  }

  send(frame: FrameBytes): boolean {
    return this.#pipe.writer.send(frame);
  }

  pause(): void {
    this.#pipe.pause();
  }

  resume(): void {
    this.#pipe.resume();
  }

  end(): void {
    this.finish({ code: StatusCode.ok, details: "" });
  }

  finish(status: RpcStatus): void {
    if (this.#pipe.hasEnded || this.#status !== undefined) return;
    this.#status = status;
    if (this.#http2.headersSent) this.#pipe.writer.end();
    else this.#refuse(status);
  }

  /** Ends the call with a status and discards queued frames. */
  finishNow(status: RpcStatus): void {
    if (this.#pipe.hasEnded) return;
    this.#status = status;
    if (!this.#http2.headersSent) return this.#refuse(status);
    this.#endInOrder(status);
    this.#http2.end();
    this.#http2.resume();
  }

  abort(status: RpcStatus): void {
    if (this.#pipe.hasEnded) return;
    // Trailers would wait behind data that the peer does not read.
    if (!this.#pipe.writer.isWriting) return this.finishNow(status);
    this.#pipe.end({ by: "status", status });
    const isOverload = status.code === StatusCode.resourceExhausted;
    this.#reset(isOverload ? constants.NGHTTP2_ENHANCE_YOUR_CALM : constants.NGHTTP2_CANCEL);
  }

  cancel(): void {
    this.#pipe.end({ by: "cancelled" });
    this.#reset(constants.NGHTTP2_CANCEL);
  }

  flushed(): Promise<void> {
    return this.#pipe.writer.flushed();
  }

  /** Answers a call that has no headers yet with its status alone. */
  #refuse(status: RpcStatus): void {
    this.#areTrailersSent = true;
    this.#pipe.end({ by: "status", status });
    refuse(this.#http2, status);
  }

  #reset(code: number): void {
    afterRead(() => this.#http2.close(code));
    this.#http2.resume();
  }

  #sendTrailers(): void {
    if (this.#http2.destroyed || this.#http2.closed) return;
    const status = this.#status ?? { code: StatusCode.ok, details: "" };
    this.#http2.sendTrailers(toTrailers(status));
    this.#areTrailersSent = true;
    this.#endInOrder(status);
    release(this.#http2);
  }

  /**
   * Reports the end of a call whose status was sent behind all frames. A client that has half-closed waits for the
   * status, so its frames count as confirmed. Any other client may be lost already.
   */
  #endInOrder(status: RpcStatus): void {
    const { writer } = this.#pipe;
    if (this.#http2.readableEnded) writer.confirm(writer.writtenCount);
    this.#pipe.end({ by: "status", status });
  }

  /**
   * The client has reset the call. Of a reset with NO_ERROR Node reports the end behind the unread data, which a paused stream
   * never reads.
   */
  #onAborted(): void {
    if (!this.#pipe.isPaused || this.#http2.rstCode !== constants.NGHTTP2_NO_ERROR) return;
    if (this.#options.lossReason() !== undefined) return;
    this.#pipe.end({ by: "peer" });
    this.#http2.resume();
  }

  #onClose(): void {
    this.#options.acknowledgements.forget(this.#pipe.writer);
    const end = this.#endOf();
    this.#pipe.end(end);
    if (this.#areTrailersSent) return;
    const text = end.by === "connection-lost" ? end.reason : "The caller cancelled the call.";
    this.#call.abort(new RpcError(StatusCode.cancelled, text));
  }

  #endOf(): StreamEnd {
    const reason = this.#options.lossReason();
    return reason === undefined ? { by: "peer" } : { by: "connection-lost", reason };
  }
}

/** Throws `RpcError` for metadata that HTTP/2 cannot carry. */
function responseHeaders(metadata: Metadata | undefined): OutgoingHttpHeaders {
  if (metadata === undefined) return GRPC_RESPONSE_HEADERS;
  return { ...GRPC_RESPONSE_HEADERS, ...toMetadataHeaders(metadata) };
}
