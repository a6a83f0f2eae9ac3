import { constants } from "node:http2";
import type { StreamEnd } from "../../link.ts";
import { type RpcStatus, StatusCode } from "../../rpc-status.ts";

/** Limit of the encoded `grpc-message`, in bytes. Peers refuse header lists of more than 8 KiB. */
const MAX_ENCODED_MESSAGE_BYTES = 4096;

const KNOWN_CODES: ReadonlySet<number> = new Set(Object.values(StatusCode));

/** Returns the header fields that end a call with this status. */
export function toTrailers(status: RpcStatus): Record<string, string> {
  const trailers: Record<string, string> = { ...status.metadata, "grpc-status": String(status.code) };
  if (status.details !== "") trailers["grpc-message"] = encodeStatusMessage(status.details);
  return trailers;
}

/**
 * Reads the status from header fields; undefined if they hold none. An unreadable code becomes `unknown`, as gRPC
 * requires.
 */
export function fromTrailers(headers: Readonly<Record<string, unknown>>): RpcStatus | undefined {
  const code = headers["grpc-status"];
  if (code === undefined) return undefined;
  const message = headers["grpc-message"];
  const details = typeof message === "string" ? decodeStatusMessage(message) : "";
  const metadata = metadataBeside(headers);
  const status = { code: toStatusCode(Number(code)), details };
  return metadata === undefined ? status : { ...status, metadata };
}

/** Reads the metadata of Troupe's peers from these header fields; undefined without any. It skips other fields. */
function metadataBeside(headers: Readonly<Record<string, unknown>>): RpcStatus["metadata"] {
  let metadata: Record<string, string> | undefined;
  for (const key in headers) {
    const value = headers[key];
    if (!key.startsWith("ag") || typeof value !== "string") continue;
    metadata ??= {};
    metadata[key] = value;
  }
  return metadata;
}

/** Percent-encodes everything but printable ASCII. Cuts the result at 4096 bytes, never inside a character. */
export function encodeStatusMessage(details: string): string {
  let encoded = "";
  for (const character of details) {
    const isPlain = character >= " " && character <= "~" && character !== "%";
    const piece = isPlain ? character : percentEncode(character);
    if (encoded.length + piece.length > MAX_ENCODED_MESSAGE_BYTES) break;
    encoded += piece;
  }
  return encoded;
}

/** Decodes percent-encoding; keeps what is not validly encoded. */
export function decodeStatusMessage(encoded: string): string {
  if (!encoded.includes("%")) return encoded;
  return encoded.replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8"));
}

function percentEncode(character: string): string {
  let encoded = "";
  for (const byte of Buffer.from(character, "utf8")) encoded += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  return encoded;
}

function toStatusCode(code: number): StatusCode {
  return isStatusCode(code) ? code : StatusCode.unknown;
}

function isStatusCode(code: number): code is StatusCode {
  return KNOWN_CODES.has(code);
}

// "HTTP2 error codes" in gRPC's PROTOCOL-HTTP2.md.
/** Returns the end of a client's stream that the server reset before it sent a status. */
export function endFromReset(resetCode: number): StreamEnd {
  switch (resetCode) {
    case constants.NGHTTP2_CANCEL:
      return { by: "peer" };
    case constants.NGHTTP2_NO_ERROR:
      return endedWith(StatusCode.unknown, "The server ended the call without a status.");
    case constants.NGHTTP2_REFUSED_STREAM:
      // nghttp2 ends the streams beyond the last one of a GOAWAY with this code, too.
      return unread(endedWith(StatusCode.unavailable, "The server refused the call before looking at it; try again."));
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      return endedWith(StatusCode.resourceExhausted, "The server asked to slow down (ENHANCE_YOUR_CALM).");
    case constants.NGHTTP2_INADEQUATE_SECURITY:
      return endedWith(StatusCode.permissionDenied, "The server demands better transport security.");
    default:
      return endedWith(StatusCode.internal, `The server reset the call with HTTP/2 code ${resetCode}.`);
  }
}

// gRPC's http-grpc-status-mapping.md.
/** Returns the status for an answer that is not gRPC. */
export function statusFromHttp(httpStatus: number, contentType: string | undefined): RpcStatus {
  const code = codeFromHttp(httpStatus);
  const type = contentType ?? "none";
  return {
    code,
    details: `The answer is not gRPC: HTTP status ${httpStatus}, content-type ${type}. Is this the right port?`,
  };
}

function unread(end: Extract<StreamEnd, { readonly by: "status" }>): StreamEnd {
  return { ...end, isUnread: true };
}

function endedWith(code: StatusCode, details: string): Extract<StreamEnd, { readonly by: "status" }> {
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
