import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { RpcStatus } from "../../rpc-status.ts";
import { afterRead } from "../framing/after-read.ts";
import { toTrailers } from "../framing/call-status.ts";
import { ACCEPTED_ENCODINGS } from "../framing/compression.ts";
import { GRPC_CONTENT_TYPE } from "../framing/headers.ts";

/** The headers in front of every answer. */
export const GRPC_RESPONSE_HEADERS: OutgoingHttpHeaders = Object.freeze({
  ":status": 200,
  "content-type": GRPC_CONTENT_TYPE,
  "grpc-accept-encoding": ACCEPTED_ENCODINGS,
});

/** Answers with a status alone ("trailers-only"), if the stream still stands and nothing was said yet. */
export function refuse(http2: ServerHttp2Stream, status: RpcStatus): void {
  answerOnly(http2, { ...GRPC_RESPONSE_HEADERS, ...toTrailers(status) });
}

/** Answers what is not gRPC at all with an HTTP status. */
export function refuseHttp(http2: ServerHttp2Stream, httpStatus: number, headers: OutgoingHttpHeaders = {}): void {
  answerOnly(http2, { ":status": httpStatus, ...headers });
}

function answerOnly(http2: ServerHttp2Stream, headers: OutgoingHttpHeaders): void {
  if (http2.destroyed || http2.closed || http2.headersSent) return;
  http2.respond(headers, { endStream: true });
  release(http2);
}

/** Lets go of a stream whose answer is complete. A client that has not half-closed would hold it for ever otherwise. */
export function release(http2: ServerHttp2Stream): void {
  // What the client still sends is of no interest, but must be read for the stream to close.
  http2.resume();
  afterRead(() => {
    if (!http2.closed && !http2.readableEnded) http2.close(constants.NGHTTP2_NO_ERROR);
  });
}
