import type { TlsOptions } from "node:tls";
import { type ConnectionLimitOptions, type ConnectionLimits, toConnectionLimits } from "../limits.ts";

export interface GrpcListenerOptions extends ConnectionLimitOptions {
  /** Options of node:tls (key, cert, ca, requestCert, …); giving them turns TLS on. Default: plaintext HTTP/2. */
  readonly tls?: TlsOptions;
  /** Concurrent calls one connection may hold. Default: 1 000 000. */
  readonly maxConcurrentStreams?: number;
  /**
   * Sends each client an HTTP/2 PING when this many milliseconds have passed since its last one was answered, so that a
   * peer that vanished without a word is noticed. Default: 0, never.
   */
  readonly keepAliveMs?: number;
  /** A connection on which nothing at all arrives for this long after a PING counts as lost, in milliseconds. Default: 20 000. */
  readonly keepAliveTimeoutMs?: number;
}

export interface GrpcListenerSettings {
  readonly limits: ConnectionLimits;
  readonly tls: TlsOptions | undefined;
  readonly maxConcurrentStreams: number;
  readonly keepAliveMs: number;
  readonly keepAliveTimeoutMs: number;
}

export function toListenerSettings(options: GrpcListenerOptions): GrpcListenerSettings {
  return {
    limits: toConnectionLimits(options),
    tls: options.tls,
    maxConcurrentStreams: options.maxConcurrentStreams ?? 1_000_000,
    keepAliveMs: options.keepAliveMs ?? 0,
    keepAliveTimeoutMs: options.keepAliveTimeoutMs ?? 20_000,
  };
}
