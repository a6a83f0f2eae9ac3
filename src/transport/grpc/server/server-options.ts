import type { TlsOptions } from "node:tls";
import {
  assertOptions,
  fields,
  number,
  type OptionKinds,
  optionShape,
  someRoom,
  TroupeError,
} from "../../../core/internal.ts";
import {
  anyDelay,
  type ConnectionLimitOptions,
  type ConnectionLimits,
  connectionLimitKinds,
  someDelay,
  toConnectionLimits,
} from "../../limits.ts";
import { assertTls, leastTlsVersion } from "../tls-check.ts";
import { type TlsFileOptions, withTlsFiles } from "../tls-files.ts";

/** Options of `grpcListener`. */
export interface GrpcListenerOptions extends ConnectionLimitOptions {
  /**
   * Options of node:tls (key, cert, ca, requestCert, …), or the names of files (`keyFile`, `certFile`, `caFile`); they turn TLS on. The listener reads
   * the files again when they have changed: new connections get the new certificate, open ones keep theirs. TLS 1.2 is the least. Default:
   * plaintext HTTP/2.
   */
  readonly tls?: (TlsOptions & TlsFileOptions) | undefined;
  /**
   * Maximum concurrent calls of one connection; further calls wait at the client. A worker needs two. Default: 1 000.
   */
  readonly maxConcurrentStreams?: number | undefined;
  /**
   * Maximum number of connections; the listener closes further ones. One more is served if its address would have at most half as many as
   * another. The newest connection of the address with most ends. Default: 10 000.
   */
  readonly maxConnections?: number | undefined;
  /**
   * Maximum length of a call's headers in bytes, with 32 bytes added for each. Longer ones are refused. Default: 64
   * KiB.
   */
  readonly maxHeaderBytes?: number | undefined;
  /** Milliseconds for the TLS handshake, and again for the opening of HTTP/2. Default: 10 000. */
  readonly handshakeTimeoutMs?: number | undefined;
  /**
   * Milliseconds without a call after which the listener closes a connection. A worker always has a call. Default: 300
   * 000.
   */
  readonly idleTimeoutMs?: number | undefined;
  /** Milliseconds in which the request of a unary call must arrive. Default: 30 000. */
  readonly requestTimeoutMs?: number | undefined;
  /** Maximum resets of calls within a minute; the listener closes a connection with more. Default: 1 000. */
  readonly maxResetsPerMinute?: number | undefined;
  /** Milliseconds without a byte of a message that has begun to arrive, until the rest of it is refused. Default: 30 000. */
  readonly messageTimeoutMs?: number | undefined;
  /**
   * Bytes that one connection may make the host keep: calls with their headers, unfinished messages, requests and
   * answers, and all that waits for the client. The listener refuses what exceeds this. The host bounds all connections
   * together by its option `maxMemoryBytes`. Default: 128 MiB; a `GrpcWorkerAgentRuntimeHost` takes twice its `maxQueuedBytes` if that is more.
   */
  readonly maxHeldBytes?: number | undefined;
  /**
   * Milliseconds between the answer to an HTTP/2 PING and the next PING. Pings detect peers that vanished, and
   * connections whose HTTP/2 state is broken. 0 disables them. Default: 10 000.
   */
  readonly pingIntervalMs?: number | undefined;
  /** Milliseconds without any byte after a PING until the connection counts as lost. Default: 20 000. */
  readonly pingTimeoutMs?: number | undefined;
}

export const listenerKinds: OptionKinds<GrpcListenerOptions> = {
  ...connectionLimitKinds,
  tls: fields,
  maxConcurrentStreams: number({ from: 1, to: 2 ** 32 - 1 }),
  maxConnections: number(someRoom),
  maxHeaderBytes: number({ from: 1, to: 2 ** 31 - 1 }),
  handshakeTimeoutMs: someDelay,
  idleTimeoutMs: someDelay,
  requestTimeoutMs: someDelay,
  messageTimeoutMs: someDelay,
  maxResetsPerMinute: number(someRoom),
  maxHeldBytes: number(someRoom),
  pingIntervalMs: anyDelay,
  pingTimeoutMs: someDelay,
};
const listenerShape = optionShape<GrpcListenerOptions>(listenerKinds);

export interface GrpcListenerSettings {
  readonly limits: ConnectionLimits;
  readonly tls: TlsOptions | undefined;
  /** The option as it was given, with the names of files. */
  readonly givenTls: (TlsOptions & TlsFileOptions) | undefined;
  readonly maxConcurrentStreams: number;
  readonly maxConnections: number;
  readonly maxHeaderBytes: number;
  readonly handshakeTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly messageTimeoutMs: number;
  readonly maxResetsPerMinute: number;
  readonly maxHeldBytes: number;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
}

export function toListenerSettings(options: GrpcListenerOptions): GrpcListenerSettings {
  assertOptions(options, listenerShape, "grpcListener");
  const tls = options.tls && { minVersion: leastTlsVersion, ...withTlsFiles(options.tls) };
  assertServerTls(tls);
  return {
    limits: toConnectionLimits(options),
    tls,
    givenTls: options.tls,
    maxConcurrentStreams: options.maxConcurrentStreams ?? 1_000,
    maxConnections: options.maxConnections ?? 10_000,
    maxHeaderBytes: options.maxHeaderBytes ?? 64 * 1024,
    handshakeTimeoutMs: options.handshakeTimeoutMs ?? 10_000,
    idleTimeoutMs: options.idleTimeoutMs ?? 300_000,
    requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
    messageTimeoutMs: options.messageTimeoutMs ?? 30_000,
    maxResetsPerMinute: options.maxResetsPerMinute ?? 1_000,
    maxHeldBytes: options.maxHeldBytes ?? 128 * 1024 * 1024,
    pingIntervalMs: options.pingIntervalMs ?? 10_000,
    pingTimeoutMs: options.pingTimeoutMs ?? 20_000,
  };
}

/** Without a certificate every handshake would fail, and only the clients would learn it. */
function assertServerTls(tls: TlsOptions | undefined): void {
  assertTls(tls);
  if (tls === undefined || [tls.cert, tls.pfx, tls.SNICallback].some((given) => given !== undefined)) return;
  throw new TroupeError(
    "invalid-argument",
    "The option tls of a host needs a certificate: { cert, key } or { certFile, keyFile }.",
  );
}
