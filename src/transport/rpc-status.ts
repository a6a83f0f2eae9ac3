import { brandClass } from "../core/internal.ts";

// grpc.github.io, "Status codes and their use".
/** gRPC status codes with their numbers on the wire. */
export const StatusCode = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

export type StatusCode = (typeof StatusCode)[keyof typeof StatusCode];

/** Status that a call ends with: a code, and a text for people. */
export interface RpcStatus {
  readonly code: StatusCode;
  readonly details: string;
  /** Metadata beside the status: keys that begin with `ag`; a link passes on no others. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** Options of an `RpcError`. */
export interface RpcErrorOptions extends ErrorOptions {
  /** Metadata beside the status; undefined: none. */
  readonly metadata?: RpcStatus["metadata"] | undefined;
  /** Origin of the status. Default: `local`. */
  readonly origin?: StatusOrigin | undefined;
}

/**
 * Origin of a status. `peer`: it arrived as a gRPC status. `proxy`: this side derived it from an HTTP status or a reset,
 * which a proxy may have sent. `local`: this side created it (time limit, no connection, invalid arguments).
 */
export type StatusOrigin = "peer" | "proxy" | "local";

/** Error of a call that ended with a status other than OK. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly status: RpcStatus;
  /** Origin of the status. Only `peer` shows that the other side is alive. */
  readonly origin: StatusOrigin;

  constructor(code: StatusCode, details: string, options?: RpcErrorOptions) {
    super(details, options);
    const metadata = options?.metadata;
    this.status = metadata === undefined ? { code, details } : { code, details, metadata };
    this.origin = options?.origin ?? "local";
  }

  get code(): StatusCode {
    return this.status.code;
  }
}
brandClass(RpcError, "RpcError");
