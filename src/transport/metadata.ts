import type { Metadata } from "./link.ts";
import { RpcError, StatusCode } from "./rpc-status.ts";

/** Headers that belong to HTTP/2 and gRPC: hidden from services and refused from callers. */
const RESERVED: ReadonlySet<string> = new Set([
  "te",
  "content-type",
  "content-length",
  "connection",
  "transfer-encoding",
  "host",
  "grpc-accept-encoding",
  "grpc-encoding",
  "grpc-message",
  "grpc-message-type",
  "grpc-status",
  "grpc-timeout",
]);

const KEY = /^[0-9a-z_.-]+$/;
const VALUE = /^[\x20-\x7e]*$/;

/**
 * Checks metadata before it is sent and returns it with keys in lower case. Throws `RpcError` (invalid-argument) for a
 * key or value that HTTP/2 headers cannot carry. Text beyond printable ASCII belongs under a `-bin` key, as base64.
 */
export function toMetadataHeaders(metadata: Metadata): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata)) {
    const key = name.toLowerCase();
    if (!KEY.test(key) || RESERVED.has(key)) {
      throw new RpcError(
        StatusCode.invalidArgument,
        `"${name}" cannot be a metadata key: it is reserved, or has other characters than 0-9, a-z, _, - and dot.`,
      );
    }
    if (typeof value !== "string" || !VALUE.test(value)) {
      throw new RpcError(
        StatusCode.invalidArgument,
        `The value of metadata "${key}" must be printable ASCII; put anything else under "${key}-bin" as base64.`,
      );
    }
    headers[key] = value;
  }
  return headers;
}

/** Reads metadata from a flat list of header names and values. Of a repeated key the last value counts. */
export function fromRawHeaders(rawHeaders: readonly string[]): Metadata {
  const metadata: Record<string, string> = Object.create(null);
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const key = rawHeaders[index] ?? "";
    if (key.startsWith(":") || RESERVED.has(key)) continue;
    const value = rawHeaders[index + 1] ?? "";
    // Repeated binary values may arrive joined by commas; base64 contains no comma.
    metadata[key] = key.endsWith("-bin") ? value.slice(value.lastIndexOf(",") + 1) : value;
  }
  return metadata;
}

/** The version in package.json. A test compares them, because the package reads no file when it loads. */
const version = "0.1.0";

/** User agent of this library, in the form `grpc-<language>/<version>` that gRPC peers expect. */
export const USER_AGENT = `grpc-troupe-js/${version}`;
