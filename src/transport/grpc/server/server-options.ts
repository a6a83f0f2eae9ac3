import type { TlsOptions } from "node:tls";
import { type ConnectionLimitOptions, type ConnectionLimits, toConnectionLimits } from "../../limits.ts";

export interface GrpcListenerOptions extends ConnectionLimitOptions {
  /** Options of node:tls (key, cert, ca, requestCert, …); giving them turns TLS on. Default: plaintext HTTP/2. */
  readonly tls?: TlsOptions;
  /** Concurrent calls one connection may hold; clients wait with more. A worker needs two. Default: 1 000. */
  readonly maxConcurrentStreams?: number;
  /** Connections at one time; more are closed as they come. Default: 10 000. */
  readonly maxConnections?: number;
  /** Length of a call's headers, names and values with 32 bytes for each pair. A longer one is refused. Default: 64 KiB. */
  readonly maxHeaderBytes?: number;
  /** Milliseconds in which a client must have done the TLS handshake, and again begun HTTP/2. Default: 10 000. */
  readonly handshakeTimeoutMs?: number;
  /** Milliseconds after which a connection without any call is closed. A worker always has one. Default: 300 000. */
  readonly idleTimeoutMs?: number;
  /** Milliseconds in which the request of a unary call must arrive whole. Default: 30 000. */
  readonly requestTimeoutMs?: number;
  /** Calls of one connection that may end in a reset within a minute; then it is closed. Default: 1 000. */
  readonly maxResetsPerMinute?: number;
  /**
   * Bytes that one connection may make the host keep: messages that have not arrived whole, and unary answers that nobody
   * reads. What goes beyond is refused. All connections together may have eight times as much. Default: 128 MiB.
   */
  readonly maxHeldBytes?: number;
  /**
   * Sends each client an HTTP/2 PING when this many milliseconds have passed since its last one was answered, so that a
   * peer that vanished without a word is noticed; and one whose HTTP/2 went so wrong that Node hears nothing of it any more.
   * 0: never. Default: 10 000.
   */
  readonly keepAliveMs?: number;
  /** A connection on which nothing at all arrives for this long after a PING counts as lost, in milliseconds. Default: 20 000. */
  readonly keepAliveTimeoutMs?: number;
}

export interface GrpcListenerSettings {
  readonly limits: ConnectionLimits;
  readonly tls: TlsOptions | undefined;
  readonly maxConcurrentStreams: number;
  readonly maxConnections: number;
  readonly maxHeaderBytes: number;
  readonly handshakeTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly maxResetsPerMinute: number;
  readonly maxHeldBytes: number;
  readonly keepAliveMs: number;
  readonly keepAliveTimeoutMs: number;
}

export function toListenerSettings(options: GrpcListenerOptions): GrpcListenerSettings {
  return {
    limits: toConnectionLimits(options),
    tls: options.tls,
    maxConcurrentStreams: options.maxConcurrentStreams ?? 1_000,
    maxConnections: options.maxConnections ?? 10_000,
    maxHeaderBytes: options.maxHeaderBytes ?? 64 * 1024,
    handshakeTimeoutMs: options.handshakeTimeoutMs ?? 10_000,
    idleTimeoutMs: options.idleTimeoutMs ?? 300_000,
    requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
    maxResetsPerMinute: options.maxResetsPerMinute ?? 1_000,
    maxHeldBytes: options.maxHeldBytes ?? 128 * 1024 * 1024,
    keepAliveMs: options.keepAliveMs ?? 10_000,
    keepAliveTimeoutMs: options.keepAliveTimeoutMs ?? 20_000,
  };
}
