import type { X509Certificate } from "node:crypto";
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { type Clock, realClock } from "../../../core/internal.ts";
import type { MemoryAccount } from "../../accounting/memory-account.ts";
import { toRpcStatus } from "../../calls/call-errors.ts";
import { startDeadline } from "../../calls/long-timer.ts";
import { ServerCall } from "../../calls/server-call.ts";
import type { MessageLimits } from "../../limits.ts";
import type { LinkService } from "../../link.ts";
import type { MutableListenerCounters } from "../../listener-counters.ts";
import { fromRawHeaders } from "../../metadata.ts";
import { RpcError, type RpcStatus, StatusCode } from "../../rpc-status.ts";
import type { DeliveryAcknowledgements } from "../connection/delivery-acknowledgements.ts";
import type { UnfinishedMessages } from "../connection/unfinished-messages.ts";
import { headerBytesOf, isGrpcContentType, refuseLongHeaders } from "../framing/headers.ts";
import type { Lane } from "../turns/lane.ts";
import { type CallRequest, readCallRequest } from "./call-request.ts";
import { refuse, refuseHttp } from "./server-response.ts";
import { GrpcServerStream } from "./server-stream.ts";
import { serveUnary } from "./server-unary.ts";

/** The connection that a call came over. */
export interface CallOrigin {
  readonly peer: string;
  /** Returns why the connection is gone; undefined while it is open. */
  readonly lossReason: () => string | undefined;
  readonly account: MemoryAccount;
  readonly certificate: () => X509Certificate | undefined;
  readonly unfinished: UnfinishedMessages;
  /** Turns of the connection: calls are opened, read and answered in them. */
  readonly lane: Lane;
  readonly acknowledgements: DeliveryAcknowledgements;
}

export interface DispatchParts {
  readonly services: readonly LinkService[];
  readonly limits: MessageLimits;
  readonly maxHeaderBytes: number;
  readonly requestTimeoutMs: number;
  readonly counters: MutableListenerCounters;
  /** For the deadlines of calls. Default: the system's, also under fake timers. */
  readonly clock?: Clock;
}

/** Headers of a call, in Node's merged form and as the flat list that arrived. */
export interface CallHeaders {
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
}

/** A call that waits for its turn, and when it came, by the clock of deadlines. */
interface ArrivedCall extends CallHeaders {
  readonly cameMs: number;
}

/** Memory of a call beside its headers, measured with 5 400 data channels: 7.6 KB in the heap, and what Node and nghttp2 have outside. */
const STREAM_COST_BYTES = 12 * 1024;

/** A character of the headers costs 1.8 bytes: nghttp2 and the metadata each keep one. */
const HEADER_COST = 2;

/** Ends a call immediately with a status. */
type FinishNow = (status: RpcStatus) => void;

/** Routes each incoming HTTP/2 stream to the service in its path, or refuses it as gRPC requires. */
export class ServerDispatch {
  readonly #services: ReadonlyMap<string, LinkService>;
  readonly #parts: DispatchParts;
  readonly #clock: Clock;

  constructor(parts: DispatchParts) {
    this.#services = new Map(parts.services.map((service) => [service.serviceName, service]));
    this.#parts = parts;
    this.#clock = parts.clock ?? realClock;
  }

  accept(http2: ServerHttp2Stream, { headers, rawHeaders }: CallHeaders, origin: CallOrigin): void {
    // An error also closes the stream, and "close" reports it.
    http2.on("error", () => undefined);
    const headerBytes = headerBytesOf(rawHeaders);
    if (headerBytes > SHORT_HEADER_BYTES) showToCollector(headerBytes);
    if (headers[":method"] !== "POST") this.#refuseHttp(http2, 405, { allow: "POST" });
    else if (!isGrpcContentType(headers["content-type"])) this.#refuseHttp(http2, 415);
    else this.#acceptCall(http2, { headers, rawHeaders, headerBytes }, origin);
  }

  /** Takes the memory of the call, and opens it when its connection may. */
  #acceptCall(
    http2: ServerHttp2Stream,
    { headers, rawHeaders, headerBytes }: CallHeaders & { readonly headerBytes: number },
    origin: CallOrigin,
  ): void {
    this.#orRefuse(http2, () => {
      refuseLongHeaders(headerBytes, this.#parts.maxHeaderBytes);
      this.#charge(http2, headerBytes, origin.account);
      const cameMs = this.#clock.now();
      const call = { headers, rawHeaders, cameMs };
      origin.lane.run(() => this.#orRefuse(http2, () => this.#openCall(http2, call, origin)));
    });
  }

  #openCall(http2: ServerHttp2Stream, { headers, rawHeaders, cameMs }: ArrivedCall, origin: CallOrigin): void {
    if (http2.destroyed || http2.closed) return;
    // The caller has given up while the call waited. Node reports the end behind the data, which is read to no purpose.
    if (http2.aborted) {
      http2.resume();
      return;
    }
    const request = readCallRequest(headers, this.#services);
    // The caller counts from its side; time in which the call waited for its turn is part of that.
    const leftMs = request.timeoutMs === undefined ? undefined : request.timeoutMs - (this.#clock.now() - cameMs);
    if (leftMs !== undefined && leftMs <= 0) throw new RpcError(deadlineExceeded.code, deadlineExceeded.details);
    const call = new ServerCall(request.method, fromRawHeaders(rawHeaders), origin);
    const finishNow = this.#serve(http2, { request, call, origin });
    if (leftMs === undefined) return;
    const stop = startDeadline(
      leftMs,
      () => {
        call.abort(new RpcError(deadlineExceeded.code, deadlineExceeded.details));
        finishNow(deadlineExceeded);
      },
      this.#clock,
    );
    http2.once("close", stop);
  }

  #orRefuse(http2: ServerHttp2Stream, open: () => void): void {
    try {
      open();
    } catch (error) {
      const status = toRpcStatus(error);
      this.#parts.counters[status.code === StatusCode.unimplemented ? "unknownMethods" : "refusedStreams"] += 1;
      refuse(http2, status);
    }
  }

  /** Takes the memory of a call from its connection's account. Throws `RpcError` if there is no space. */
  #charge(http2: ServerHttp2Stream, headerBytes: number, account: MemoryAccount): void {
    const bytes = STREAM_COST_BYTES + HEADER_COST * headerBytes;
    if (!account.take(bytes, "opening")) {
      this.#parts.counters.overloadedStreams += 1;
      throw new RpcError(StatusCode.resourceExhausted, account.whyNot(bytes));
    }
    http2.once("close", () => account.release(bytes));
  }

  #refuseHttp(http2: ServerHttp2Stream, httpStatus: number, headers?: OutgoingHttpHeaders): void {
    this.#parts.counters.refusedStreams += 1;
    refuseHttp(http2, httpStatus, headers);
  }

  #serve(
    http2: ServerHttp2Stream,
    serving: { readonly request: CallRequest; readonly call: ServerCall; readonly origin: CallOrigin },
  ): FinishNow {
    const { call, origin } = serving;
    const { service, shape, inflate } = serving.request;
    const { limits, counters, requestTimeoutMs } = this.#parts;
    if (shape === "unary") {
      const { account, lane } = origin;
      serveUnary(http2, { service, call, limits, inflate, account, lane, counters, requestTimeoutMs });
      return (status) => refuse(http2, status);
    }
    const receiver = service.stream(call);
    const stream = new GrpcServerStream(http2, receiver, { ...origin, call, limits, counters });
    stream.open(receiver, inflate);
    return (status) => stream.finishNow(status);
  }
}

/** No worker's headers are longer. */
const SHORT_HEADER_BYTES = 2_048;

/**
 * Makes V8 see the memory of long headers. Node keeps them as strings outside the heap. V8 does not count these when it decides to
 * collect, so a client whose calls are all refused could fill the memory with them. V8 counts buffers. This one is never written
 * to, so it takes no memory of its own.
 */
function showToCollector(bytes: number): void {
  Buffer.allocUnsafeSlow(bytes);
}

const deadlineExceeded: RpcStatus = { code: StatusCode.deadlineExceeded, details: "Deadline exceeded" };
