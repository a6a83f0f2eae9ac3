import type { Metadata } from "./link.ts";
import { RpcError, StatusCode } from "./rpc-status.ts";

/** Headers that belong to gRPC itself and are neither shown to services nor taken from callers. */
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
 * Checks metadata that is about to travel and returns it with keys in lower case. Throws `RpcError` (invalid-argument)
 * for a key or value that HTTP/2 headers can't carry: text beyond printable ASCII belongs under a `-bin` key, as base64.
 */
export function toMetadataHeaders(metadata: Metadata): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata)) {
    const key = name.toLowerCase();
    if (!KEY.test(key) || RESERVED.has(key)) {
      throw new RpcError(StatusCode.invalidArgument, `"${name}" can't be used as a metadata key.`);
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

/** Metadata out of a flat list of received header names and values. A repeated key keeps its last value. */
export function fromRawHeaders(rawHeaders: readonly string[]): Metadata {
  const metadata: Record<string, string> = Object.create(null);
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const key = rawHeaders[index] ?? "";
    if (key.startsWith(":") || RESERVED.has(key)) continue;
    const value = rawHeaders[index + 1] ?? "";
    // Repeated binary values may also come joined by commas, which base64 does not use.
    metadata[key] = key.endsWith("-bin") ? value.slice(value.lastIndexOf(",") + 1) : value;
  }
  return metadata;
}

/** The version in package.json; a test compares them, since nothing is read when a module loads. */
const version = "0.1.0";

/** How this library names itself to gRPC peers, in the form `grpc-<language>/<version>` they expect. */
export const USER_AGENT = `grpc-troupe-js/${version}`;
