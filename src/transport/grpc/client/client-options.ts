import type { ConnectionOptions as TlsConnectionOptions } from "node:tls";
import {
  assertOptions,
  errorText,
  fields,
  number,
  type OptionKind,
  type OptionKinds,
  optionShape,
  TroupeError,
  text,
} from "../../../core/internal.ts";
import {
  anyDelay,
  type ConnectionLimitOptions,
  type ConnectionLimits,
  connectionLimitKinds,
  someDelay,
  toConnectionLimits,
} from "../../limits.ts";
import type { Metadata } from "../../link.ts";
import { toMetadataHeaders, USER_AGENT } from "../../metadata.ts";
import { assertTls } from "../tls-check.ts";
import { type TlsFileOptions, withTlsFiles } from "../tls-files.ts";
import type { DialedConnection, PerConnection } from "./connection-setup.ts";
import { parseProxy } from "./proxy-tunnel.ts";

type MetadataSource = (connection: DialedConnection) => Metadata | PromiseLike<Metadata>;

/** Options of `grpcDialer`. */
export interface GrpcDialerOptions extends ConnectionLimitOptions {
  /**
   * Options of node:tls for the connection, or the names of files (`caFile`, `certFile`, `keyFile`), which are read for each connection. They turn
   * TLS on; `https://` addresses use TLS without them too. A function is called for each connection, so that a renewed client
   * certificate is used from the next one on. TLS 1.2 is the least.
   */
  readonly tls?: PerConnection<TlsConnectionOptions & TlsFileOptions> | undefined;
  /**
   * Metadata of every call, for instance `authorization`, which a host sees in its option `authorize`. A function is called for
   * each connection, so that a worker that reconnects sends a new token. It may return a promise. A function that fails, or that
   * takes longer than `connectTimeoutMs`, fails the attempt to connect, and a worker tries again. Default: none.
   */
  readonly metadata?: PerConnection<Metadata> | undefined;
  /**
   * HTTP proxy that opens a tunnel to the host (`CONNECT`): `http://host:port` or `http://user:password@host:port`. A function is
   * called for each connection; undefined connects directly. `environmentProxy(process.env)` chooses as gRPC's own libraries do.
   * Unix sockets use no proxy. Default: none.
   */
  readonly proxy?: PerConnection<string | undefined> | undefined;
  /** First part of the `user-agent` header, before Troupe's own name. Default: none. */
  readonly userAgent?: string | undefined;
  /** Time to make a connection, in milliseconds. Default: 20 000. */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * Sends an HTTP/2 PING when this many milliseconds have passed since the last one. Default: 0, never. grpc-python's
   * servers close a connection without traffic when pings come more often than every 5 minutes.
   */
  readonly pingIntervalMs?: number | undefined;
  /** How long to wait for a PING's answer before the connection counts as lost, in milliseconds. Default: 20 000. */
  readonly pingTimeoutMs?: number | undefined;
  /** Concurrent streams that the client opens at most until the server has announced its limit. Default: 100, as HTTP/2 suggests. */
  readonly peerMaxConcurrentStreams?: number | undefined;
}

/** A value of the kind, or a function that makes it for each connection. */
function orFunction(kind: OptionKind): OptionKind {
  return {
    ...kind,
    expected: `${kind.expected}, or a function`,
    accepts: (value) => typeof value === "function" || kind.accepts(value),
  };
}

export const dialerKinds: OptionKinds<GrpcDialerOptions> = {
  ...connectionLimitKinds,
  tls: orFunction(fields),
  metadata: orFunction(fields),
  proxy: orFunction(text),
  userAgent: text,
  connectTimeoutMs: someDelay,
  pingIntervalMs: anyDelay,
  pingTimeoutMs: someDelay,
  peerMaxConcurrentStreams: number({ from: 1, to: 2 ** 32 - 1 }),
};
const dialerShape = optionShape<GrpcDialerOptions>(dialerKinds);

export interface GrpcDialerSettings {
  readonly limits: ConnectionLimits;
  readonly tls: PerConnection<TlsConnectionOptions & TlsFileOptions> | undefined;
  readonly metadata: MetadataSource | Readonly<Record<string, string>>;
  readonly proxy: PerConnection<string | undefined>;
  readonly userAgent: string;
  readonly connectTimeoutMs: number;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  readonly peerMaxConcurrentStreams: number;
}

/** Throws `invalid-argument` for invalid options, such as metadata that headers can't carry. */
export function toDialerSettings(options: GrpcDialerOptions): GrpcDialerSettings {
  assertOptions(options, dialerShape, "grpcDialer");
  const { metadata = {}, proxy, tls } = options;
  if (typeof tls !== "function") assertTls(tls && withTlsFiles(tls));
  if (typeof proxy === "string") parseProxy(proxy);
  return {
    limits: toConnectionLimits(options),
    tls,
    // TypeScript can't see that metadata, an interface of texts, is never a function.
    metadata: typeof metadata === "function" ? (metadata as MetadataSource) : checkedHeaders(metadata),
    proxy,
    userAgent: options.userAgent === undefined ? USER_AGENT : `${options.userAgent} ${USER_AGENT}`,
    connectTimeoutMs: options.connectTimeoutMs ?? 20_000,
    pingIntervalMs: options.pingIntervalMs ?? 0,
    pingTimeoutMs: options.pingTimeoutMs ?? 20_000,
    peerMaxConcurrentStreams: options.peerMaxConcurrentStreams ?? 100,
  };
}

/** Throws `invalid-argument` for metadata that headers can't carry. */
function checkedHeaders(metadata: Metadata): Readonly<Record<string, string>> {
  try {
    return toMetadataHeaders(metadata);
  } catch (cause) {
    throw new TroupeError("invalid-argument", `The option metadata can't be used: ${errorText(cause)}`, { cause });
  }
}
