import { constants } from "node:http2";
import type { StreamEnd } from "../../link.ts";
import { type RpcStatus, StatusCode } from "../../rpc-status.ts";

/** How a client's stream ended when the server reset it before any status ("HTTP2 error codes", PROTOCOL-HTTP2.md). */
export function endFromReset(resetCode: number): StreamEnd {
  switch (resetCode) {
    case constants.NGHTTP2_CANCEL:
      return { by: "peer" };
    case constants.NGHTTP2_NO_ERROR:
      return endedWith(StatusCode.unknown, "The server ended the call without a status.");
    case constants.NGHTTP2_REFUSED_STREAM:
      return endedWith(StatusCode.unavailable, "The server refused the call before looking at it; try again.");
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      return endedWith(StatusCode.resourceExhausted, "The server asked to slow down (ENHANCE_YOUR_CALM).");
    case constants.NGHTTP2_INADEQUATE_SECURITY:
      return endedWith(StatusCode.permissionDenied, "The server demands better transport security.");
    default:
      return endedWith(StatusCode.internal, `The server reset the call with HTTP/2 code ${resetCode}.`);
  }
}

/** What an answer that is not gRPC means (http-grpc-status-mapping.md). */
export function statusFromHttp(httpStatus: number, contentType: string | undefined): RpcStatus {
  const code = codeFromHttp(httpStatus);
  const type = contentType ?? "none";
  return {
    code,
    details: `The answer is not gRPC: HTTP status ${httpStatus}, content-type ${type}. Is this the right port?`,
  };
}

function endedWith(code: StatusCode, details: string): StreamEnd {
  return { by: "status", status: { code, details }, origin: "proxy" };
}

function codeFromHttp(httpStatus: number): StatusCode {
  switch (httpStatus) {
    case 400:
      return StatusCode.internal;
    case 401:
      return StatusCode.unauthenticated;
    case 403:
      return StatusCode.permissionDenied;
    case 404:
      return StatusCode.unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return StatusCode.unavailable;
    default:
      return StatusCode.unknown;
  }
}
