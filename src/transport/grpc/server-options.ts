import type { TlsOptions } from "node:tls";
import { type ConnectionLimitOptions, type ConnectionLimits, toConnectionLimits } from "../limits.ts";

export interface GrpcListenerOptions extends ConnectionLimitOptions {
  /** Options of node:tls (key, cert, ca, requestCert, …); giving them turns TLS on. Default: plaintext HTTP/2. */
  readonly tls?: TlsOptions;
  /** Concurrent calls one connection may hold. Default: 1 000 000. */
  readonly maxConcurrentStreams?: number;
}

export interface GrpcListenerSettings {
  readonly limits: ConnectionLimits;
  readonly tls: TlsOptions | undefined;
  readonly maxConcurrentStreams: number;
}

export function toListenerSettings(options: GrpcListenerOptions): GrpcListenerSettings {
  return {
    limits: toConnectionLimits(options),
    tls: options.tls,
    maxConcurrentStreams: options.maxConcurrentStreams ?? 1_000_000,
  };
}
