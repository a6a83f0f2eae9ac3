import type { ConnectionOptions as TlsConnectionOptions } from "node:tls";
import {
  assertOptions,
  errorText,
  fields,
  number,
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

/** Options of `grpcDialer`. */
export interface GrpcDialerOptions extends ConnectionLimitOptions {
  /** Options of node:tls for the connection. They turn TLS on; `https://` addresses use TLS without them too. */
  readonly tls?: TlsConnectionOptions;
  /** Metadata of every call, for instance `authorization`, which a host sees in its option `authorize`. Default: none. */
  readonly metadata?: Metadata;
  /** First part of the `user-agent` header, before Troupe's own name. Default: none. */
  readonly userAgent?: string;
  /** Time to make a connection, in milliseconds. Default: 20 000. */
  readonly connectTimeoutMs?: number;
  /**
   * Sends an HTTP/2 PING when this many milliseconds have passed since the last one. Default: 0, never. grpc-python's
   * servers close a connection without traffic when pings come more often than every 5 minutes.
   */
  readonly pingIntervalMs?: number;
  /** How long to wait for a PING's answer before the connection counts as lost, in milliseconds. Default: 20 000. */
  readonly pingTimeoutMs?: number;
  /** Concurrent streams that the client opens at most until the server has announced its limit. Default: 100, as HTTP/2 suggests. */
  readonly peerMaxConcurrentStreams?: number;
}

export const dialerKinds: OptionKinds<GrpcDialerOptions> = {
  ...connectionLimitKinds,
  tls: fields,
  metadata: fields,
  userAgent: text,
  connectTimeoutMs: someDelay,
  pingIntervalMs: anyDelay,
  pingTimeoutMs: someDelay,
  peerMaxConcurrentStreams: number({ from: 1, to: 2 ** 32 - 1 }),
};
const dialerShape = optionShape<GrpcDialerOptions>(dialerKinds);

export interface GrpcDialerSettings {
  readonly limits: ConnectionLimits;
  readonly tls: TlsConnectionOptions | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly userAgent: string;
  readonly connectTimeoutMs: number;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  readonly peerMaxConcurrentStreams: number;
}

/** Throws `RpcError` (invalid-argument) for metadata that headers can't carry. */
export function toDialerSettings(options: GrpcDialerOptions): GrpcDialerSettings {
  assertOptions(options, dialerShape, "grpcDialer");
  assertTls(options.tls);
  return {
    limits: toConnectionLimits(options),
    tls: options.tls,
    metadata: checkedHeaders(options.metadata ?? {}),
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
