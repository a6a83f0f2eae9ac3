import { type ClientHttp2Stream, constants, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import type { FrameBytes } from "../../../protocol/internal.ts";
import type { MessageLimits } from "../../limits.ts";
import type { FrameStream, StreamEnd, StreamReceiver } from "../../link.ts";
import { fromRawHeaders } from "../../metadata.ts";
import { type RpcStatus, StatusCode } from "../../rpc-status.ts";
import { messageOf } from "../../system-error.ts";
import { afterRead } from "../connection/after-read.ts";
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

/** The client's side of one stream. */
export class GrpcClientStream implements FrameStream {
  readonly #http2: ClientHttp2Stream;
  // Only an aborted signal makes Node reset a stream without half-closing it first. The server would take that for an orderly end.
  readonly #reset = new AbortController();
  readonly #connection: ClientConnection;
  readonly #pipe: MessagePipe;
  #status: RpcStatus | undefined;
  #httpStatus = 200;

  /** Throws `RpcError` (unavailable) when the connection has ended or is ending. */
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
    // Node also passes the raw headers, although its types don't say so.
    http2.on("response", (headers, _flags, rawHeaders: readonly string[] = []) => {
      onAnswered();
      this.#onResponse(headers, () => receiver.onMetadata?.(fromRawHeaders(rawHeaders)));
    });
    http2.on("trailers", (headers) => {
      this.#status ??= fromTrailers(headers);
      this.#pipe.writer.peerEnded();
    });
    // Every error also closes the stream. The close handler reports it.
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
    const { writer } = this.#pipe;
    // A unary call: its own answer says all about it. Each call would otherwise note every other one that is under way.
    if (writer.writtenCount === 0) this.#connection.acknowledgements.forget(writer);
    writer.end();
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

  /** Called when the server has ended its side. Without a status, the close of the stream tells the reason. */
  #onServerDone(): void {
    const hasUnsent = this.queuedBytes > 0;
    const { writer } = this.#pipe;
    // The server has seen the half-close and ended with OK, so it has received every frame.
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
    // A server that closes its connections abruptly resets their streams without an error first.
    const isCutOff = this.#connection.isLeaving && resetCode === constants.NGHTTP2_NO_ERROR;
    if (!this.#connection.isGone && !isCutOff) return endFromReset(resetCode);
    const reason = this.#connection.lossReason;
    if (this.#connection.wasReady) return { by: "connection-lost", reason };
    return { by: "status", status: { code: StatusCode.unavailable, details: reason }, origin: "local", isUnread: true };
  }

  /** Returns the origin of a status. A gRPC status beside an HTTP error comes from a proxy. */
  #endBy(status: RpcStatus): StreamEnd {
    return { by: "status", status, origin: this.#httpStatus === 200 ? "peer" : "proxy" };
  }
}
