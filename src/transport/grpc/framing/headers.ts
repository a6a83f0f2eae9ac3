import { RpcError, StatusCode } from "../../rpc-status.ts";

/** Content type that both sides send. */
export const GRPC_CONTENT_TYPE = "application/grpc";

/** True for `application/grpc` and forms such as `application/grpc+proto`; false for gRPC-Web and all else. */
export function isGrpcContentType(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/grpc(?:[+;]|$)/i.test(contentType.trim());
}

// RFC 9113 §6.5.2
/** Bytes that each header field counts beside its name and value. */
export const HEADER_COST_BYTES = 32;

/** Length of headers, with the cost of each. */
export function headerBytesOf(rawHeaders: readonly string[]): number {
  let bytes = (rawHeaders.length / 2) * HEADER_COST_BYTES;
  for (const text of rawHeaders) bytes += text.length;
  return bytes;
}

/** Throws `RpcError` (resource-exhausted) for headers that are longer together than `maxBytes`. */
export function refuseLongHeaders(bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  throw new RpcError(
    StatusCode.resourceExhausted,
    `The call's headers have ${bytes} bytes; this host takes ${maxBytes} (maxHeaderBytes).`,
  );
}

/** Largest number that the header can hold: eight digits. */
const LARGEST_VALUE = 99_999_999;

/**
 * Formats milliseconds as a `grpc-timeout` value, rounded up, in the finest unit that fits eight digits. Negative means
 * 0.
 */
export function formatTimeout(timeoutMs: number): string {
  const wholeMs = Math.ceil(Math.max(0, timeoutMs));
  if (wholeMs <= LARGEST_VALUE) return `${wholeMs}m`;
  const seconds = Math.ceil(wholeMs / 1_000);
  if (seconds <= LARGEST_VALUE) return `${seconds}S`;
  return `${Math.min(LARGEST_VALUE, Math.ceil(seconds / 3_600))}H`;
}

/** Parses a `grpc-timeout` value to milliseconds; undefined if it is malformed. */
export function parseTimeout(header: string): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(header);
  if (match === null) return undefined;
  return Number(match[1]) * msPerUnit(match[2]);
}

function msPerUnit(unit: string | undefined): number {
  switch (unit) {
    case "H":
      return 3_600_000;
    case "M":
      return 60_000;
    case "S":
      return 1_000;
    case "u":
      return 0.001;
    case "n":
      return 0.000_001;
    default:
      return 1;
  }
}
