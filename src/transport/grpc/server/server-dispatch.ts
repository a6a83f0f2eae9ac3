import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { toRpcStatus } from "../../calls/call-errors.ts";
import { startDeadline } from "../../calls/long-timer.ts";
import { ServerCall } from "../../calls/server-call.ts";
import type { MessageLimits } from "../../limits.ts";
import type { LinkService } from "../../link.ts";
import type { MutableListenerCounters } from "../../listener-counters.ts";
import { fromRawHeaders } from "../../metadata.ts";
import { RpcError, type RpcStatus, StatusCode } from "../../rpc-status.ts";
import type { ByteBudget } from "../connection/byte-budget.ts";
import type { DeliveryAcknowledgements } from "../connection/delivery-acknowledgements.ts";
import type { FairShare } from "../connection/fair-share.ts";
import { isGrpcContentType, refuseLongHeaders } from "../framing/headers.ts";
import { type CallRequest, readCallRequest } from "./call-request.ts";
import { refuse, refuseHttp } from "./server-response.ts";
import { GrpcServerStream } from "./server-stream.ts";
import { serveUnary } from "./server-unary.ts";

/** The connection that a call came over. */
export interface CallOrigin {
  readonly peer: string;
  /** Returns why the connection is gone; undefined while it is open. */
  readonly lossReason: () => string | undefined;
  readonly budget: ByteBudget;
  readonly fairShare: FairShare;
  readonly acknowledgements: DeliveryAcknowledgements;
}

export interface DispatchParts {
  readonly services: readonly LinkService[];
  readonly limits: MessageLimits;
  readonly maxHeaderBytes: number;
  readonly requestTimeoutMs: number;
  readonly counters: MutableListenerCounters;
}

/** Headers of a call, in Node's merged form and as the flat list that arrived. */
export interface CallHeaders {
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
}

/** Ends a call immediately with a status. */
type FinishNow = (status: RpcStatus) => void;

/** Routes each incoming HTTP/2 stream to the service in its path, or refuses it as gRPC requires. */
export class ServerDispatch {
  readonly #services: ReadonlyMap<string, LinkService>;
  readonly #parts: DispatchParts;

  constructor(parts: DispatchParts) {
    this.#services = new Map(parts.services.map((service) => [service.serviceName, service]));
    this.#parts = parts;
  }

  accept(http2: ServerHttp2Stream, { headers, rawHeaders }: CallHeaders, origin: CallOrigin): void {
    // An error also closes the stream, and "close" reports it.
    http2.on("error", () => undefined);
    if (headers[":method"] !== "POST") this.#refuseHttp(http2, 405, { allow: "POST" });
    else if (!isGrpcContentType(headers["content-type"])) this.#refuseHttp(http2, 415);
    else this.#acceptCall(http2, { headers, rawHeaders }, origin);
  }

  #acceptCall(http2: ServerHttp2Stream, { headers, rawHeaders }: CallHeaders, origin: CallOrigin): void {
    try {
      refuseLongHeaders(rawHeaders, this.#parts.maxHeaderBytes);
      const request = readCallRequest(headers, this.#services);
      const call = new ServerCall(request.method, fromRawHeaders(rawHeaders), origin.peer);
      const finishNow = this.#serve(http2, { request, call, origin });
      if (request.timeoutMs !== undefined) enforceDeadline(http2, request.timeoutMs, call, finishNow);
    } catch (error) {
      const status = toRpcStatus(error);
      this.#parts.counters[status.code === StatusCode.unimplemented ? "unknownMethods" : "refusedStreams"] += 1;
      refuse(http2, status);
    }
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
      serveUnary(http2, { service, call, limits, inflate, budget: origin.budget, counters, requestTimeoutMs });
      return (status) => refuse(http2, status);
    }
    const receiver = service.stream(call);
    const stream = new GrpcServerStream(http2, receiver, { ...origin, call, limits, counters });
    stream.open(receiver, inflate);
    return (status) => stream.finishNow(status);
  }
}

function enforceDeadline(http2: ServerHttp2Stream, timeoutMs: number, call: ServerCall, finishNow: FinishNow): void {
  const status: RpcStatus = { code: StatusCode.deadlineExceeded, details: "Deadline exceeded" };
  const stop = startDeadline(timeoutMs, () => {
    call.abort(new RpcError(status.code, status.details));
    finishNow(status);
  });
  http2.once("close", stop);
}
