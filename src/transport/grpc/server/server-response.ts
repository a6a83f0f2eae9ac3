import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { RpcStatus } from "../../rpc-status.ts";
import { afterRead } from "../connection/after-read.ts";
import { toTrailers } from "../framing/call-status.ts";
import { ACCEPTED_ENCODINGS } from "../framing/compression.ts";
import { GRPC_CONTENT_TYPE } from "../framing/headers.ts";

/** Response headers of every answer. */
export const GRPC_RESPONSE_HEADERS: OutgoingHttpHeaders = Object.freeze({
  ":status": 200,
  "content-type": GRPC_CONTENT_TYPE,
  "grpc-accept-encoding": ACCEPTED_ENCODINGS,
});

/** Answers with a status alone ("trailers-only"), unless the stream is closed or already answered. */
export function refuse(http2: ServerHttp2Stream, status: RpcStatus): void {
  answerOnly(http2, { ...GRPC_RESPONSE_HEADERS, ...toTrailers(status) });
}

/** Answers a request that is not gRPC with an HTTP status. */
export function refuseHttp(http2: ServerHttp2Stream, httpStatus: number, headers: OutgoingHttpHeaders = {}): void {
  answerOnly(http2, { ":status": httpStatus, ...headers });
}

function answerOnly(http2: ServerHttp2Stream, headers: OutgoingHttpHeaders): void {
  if (http2.destroyed || http2.closed || http2.headersSent) return;
  http2.respond(headers, { endStream: true });
  release(http2);
}

/** Releases a stream whose answer is complete. Otherwise a client that has not half-closed would keep it open. */
export function release(http2: ServerHttp2Stream): void {
  // The stream closes only after the client's remaining data was read.
  http2.resume();
  afterRead(() => {
    if (!http2.closed && !http2.readableEnded) http2.close(constants.NGHTTP2_NO_ERROR);
  });
}
