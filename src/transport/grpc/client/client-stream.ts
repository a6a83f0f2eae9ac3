import { type ClientHttp2Stream, constants, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import type { FrameBytes } from "../../../protocol/internal.ts";
import type { MessageLimits } from "../../limits.ts";
import type { FrameStream, StreamEnd, StreamReceiver } from "../../link.ts";
import { fromRawHeaders } from "../../metadata.ts";
import { type RpcStatus, StatusCode } from "../../rpc-status.ts";
import { messageOf } from "../../system-error.ts";
import { afterRead } from "../framing/after-read.ts";
import { endFromReset, fromTrailers, statusFromHttp } from "../framing/call-status.ts";
import { inflaterFor } from "../framing/compression.ts";
import { isGrpcContentType } from "../framing/headers.ts";
import { MessagePipe } from "../framing/message-pipe.ts";
import type { ClientConnection } from "./client-connection.ts";

export interface ClientStreamOptions {
  readonly connection: ClientConnection;
  readonly limits: MessageLimits;
  readonly onClosed: () => void;
}

/** The client's hold on one call. */
export class GrpcClientStream implements FrameStream {
  readonly #http2: ClientHttp2Stream;
  // Only an aborted signal makes Node reset a stream without half-closing it first, which the server would see as goodbye.
  readonly #reset = new AbortController();
  readonly #connection: ClientConnection;
  readonly #pipe: MessagePipe;
  #status: RpcStatus | undefined;
  #httpStatus = 200;

  /** Throws `RpcError` (unavailable) when the connection is gone or going. */
  constructor(headers: OutgoingHttpHeaders, receiver: StreamReceiver, options: ClientStreamOptions) {
    this.#connection = options.connection;
    const { acknowledgements } = this.#connection;
    const onAnswered = acknowledgements.beforeAsking();
    const http2 = this.#connection.request(headers, this.#reset.signal);
    this.#http2 = http2;
    this.#pipe = new MessagePipe(http2, receiver, {
      limits: options.limits,
      onReceiverFailure: (error) =>
        this.#fail(StatusCode.internal, `The receiver of this stream threw: ${messageOf(error)}`),
    });
    // Node hands over the raw headers too, which its types don't say.
    http2.on("response", (headers, _flags, rawHeaders: readonly string[] = []) => {
      onAnswered();
      this.#onResponse(headers, () => receiver.onMetadata?.(fromRawHeaders(rawHeaders)));
    });
    http2.on("trailers", (headers) => {
      this.#status ??= fromTrailers(headers);
    });
    // Every error also closes the stream, and is told from there.
    http2.on("error", () => undefined);
    acknowledgements.follow(this.#pipe.writer);
    http2.once("close", () => {
      acknowledgements.forget(this.#pipe.writer);
      this.#pipe.end(this.#endOf(http2.rstCode));
      options.onClosed();
    });
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

  get unreadFrames(): number {
    return this.#pipe.unreadFrames;
  }

  get maxSendBytes(): number {
    return this.#pipe.writer.maxSendBytes;
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
    this.#pipe.writer.end();
  }

  cancel(): void {
    this.#abandon({ by: "cancelled" });
  }

  flushed(): Promise<void> {
    return this.#pipe.writer.flushed();
  }

  #onResponse(headers: IncomingHttpHeaders, tellMetadata: () => void): void {
    this.#status = fromTrailers(headers);
    const httpStatus = Number(headers[":status"]);
    this.#httpStatus = httpStatus;
    const contentType = headers["content-type"];
    if (this.#status === undefined && (httpStatus !== 200 || !isGrpcContentType(contentType))) {
      this.#abandon({ by: "status", status: statusFromHttp(httpStatus, contentType), origin: "proxy" });
      return;
    }
    const encoding = headers["grpc-encoding"];
    const inflate = inflaterFor(typeof encoding === "string" ? encoding : undefined);
    if (inflate !== undefined) {
      if (this.#status === undefined) this.#pipe.tell(tellMetadata);
      this.#pipe.startReading(inflate, () => this.#onServerDone());
    } else
      this.#fail(StatusCode.unimplemented, `The server compresses with "${encoding}", which this side can't undo.`);
  }

  /** The server has sent its last; without a status yet, the closing of the stream tells what happened. */
  #onServerDone(): void {
    const hasUnsent = this.queuedBytes > 0;
    const { writer } = this.#pipe;
    // It has heard that nothing more comes, and says that all is well: it has had everything.
    if (this.#status?.code === StatusCode.ok && writer.isAllSent) writer.confirm(writer.writtenCount);
    if (this.#status !== undefined) this.#pipe.end(this.#endBy(this.#status));
    if (hasUnsent) afterRead(() => this.#reset.abort());
    else this.#http2.end();
  }

  #fail(code: StatusCode, details: string): void {
    this.#abandon({ by: "status", status: { code, details }, origin: "local" });
  }

  #abandon(end: StreamEnd): void {
    this.#pipe.end(end);
    afterRead(() => this.#reset.abort());
  }

  #endOf(resetCode: number): StreamEnd {
    if (this.#status !== undefined) return this.#endBy(this.#status);
    // A server that cuts its connections resets their streams without an error, then hangs up.
    const isCutOff = this.#connection.isLeaving && resetCode === constants.NGHTTP2_NO_ERROR;
    if (!this.#connection.isGone && !isCutOff) return endFromReset(resetCode);
    const reason = this.#connection.lossReason;
    if (this.#connection.wasReady) return { by: "connection-lost", reason };
    return { by: "status", status: { code: StatusCode.unavailable, details: reason }, origin: "local" };
  }

  /** A gRPC status beside an HTTP error is a proxy's. */
  #endBy(status: RpcStatus): StreamEnd {
    return { by: "status", status, origin: this.#httpStatus === 200 ? "peer" : "proxy" };
  }
}
