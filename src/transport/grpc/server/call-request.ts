import type { IncomingHttpHeaders } from "node:http2";
import type { LinkService } from "../../link.ts";
import { RpcError, StatusCode } from "../../rpc-status.ts";
import { type Inflate, inflaterFor } from "../framing/compression.ts";
import { parseTimeout } from "../framing/headers.ts";

/** A parsed request for a call. */
export interface CallRequest {
  readonly service: LinkService;
  readonly method: string;
  readonly shape: "unary" | "stream";
  readonly inflate: Inflate;
  /** Undefined: the caller set no deadline. */
  readonly timeoutMs: number | undefined;
}

/** Reads the headers of a gRPC call. Throws `RpcError` with the status that refuses it. */
export function readCallRequest(headers: IncomingHttpHeaders, services: ReadonlyMap<string, LinkService>): CallRequest {
  const path = headers[":path"] ?? "";
  const slash = path.lastIndexOf("/");
  const method = path.slice(slash + 1);
  const service = services.get(path.slice(1, slash));
  const shape = service === undefined ? undefined : shapeOf(service, method);
  if (service === undefined || shape === undefined) {
    throw new RpcError(StatusCode.unimplemented, `Method not found: ${path}`);
  }
  return { service, method, shape, inflate: readEncoding(headers), timeoutMs: readTimeout(headers) };
}

function shapeOf(service: LinkService, method: string): CallRequest["shape"] | undefined {
  if (service.unaryMethods.has(method)) return "unary";
  return service.streamMethods.has(method) ? "stream" : undefined;
}

function readEncoding(headers: IncomingHttpHeaders): Inflate {
  const encoding = lastOf(headers["grpc-encoding"]);
  const inflate = inflaterFor(encoding);
  if (inflate !== undefined) return inflate;
  throw new RpcError(StatusCode.unimplemented, `grpc-encoding "${encoding}" is not supported.`);
}

function readTimeout(headers: IncomingHttpHeaders): number | undefined {
  const header = lastOf(headers["grpc-timeout"]);
  if (header === undefined) return undefined;
  const timeoutMs = parseTimeout(header);
  if (timeoutMs !== undefined) return timeoutMs;
  throw new RpcError(StatusCode.invalidArgument, `Malformed grpc-timeout: "${header}"`);
}

function lastOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.at(-1) : header;
}
