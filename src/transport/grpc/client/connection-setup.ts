import type { Socket } from "node:net";
import type { ConnectionOptions as TlsConnectionOptions } from "node:tls";
import { formatAddress, type TransportAddress } from "../../address.ts";
import type { Metadata } from "../../link.ts";
import { toMetadataHeaders } from "../../metadata.ts";
import { RpcError, StatusCode } from "../../rpc-status.ts";
import { messageOf } from "../../system-error.ts";
import { assertTlsVersions } from "../tls-check.ts";
import { namesTlsFiles, withTlsFiles } from "../tls-files.ts";
import type { GrpcDialerSettings } from "./client-options.ts";
import { openTunnel, parseProxy } from "./proxy-tunnel.ts";

/** A connection that is about to be made. */
export interface DialedConnection {
  /** Address of the host: `10.0.0.7:50051`. */
  readonly address: string;
  /** Aborts when no caller waits for the connection any more: its time is up, or it was given up. */
  readonly signal: AbortSignal;
}

/** A value, or a function that makes it anew for each connection. */
export type PerConnection<Value> = Value | ((connection: DialedConnection) => Value | PromiseLike<Value>);

/** Metadata, TLS options and tunnel of one connection. */
export interface ConnectionSetup {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tls: TlsConnectionOptions | undefined;
  /** A connection to the host through a proxy. */
  readonly tunnel: Socket | undefined;
}

export interface PreparationOptions {
  readonly signal: AbortSignal;
  /** Called with what the connection waits for from now on. */
  readonly onStep: (what: string) => void;
}

/**
 * Makes what a connection uses. Returns it at once when no option is a function and there is no proxy. Rejects with `RpcError`
 * (unavailable) when a function fails or the proxy refuses: another attempt may do better.
 */
export function prepareSetup(
  address: TransportAddress,
  settings: GrpcDialerSettings,
  options: PreparationOptions,
): ConnectionSetup | Promise<ConnectionSetup> {
  const { metadata, tls, proxy } = settings;
  if (typeof metadata !== "function" && typeof tls !== "function" && proxy === undefined && !namesTlsFiles(tls)) {
    return { metadata, tls, tunnel: undefined };
  }
  return prepareAnew(address, settings, options);
}

async function prepareAnew(
  address: TransportAddress,
  settings: GrpcDialerSettings,
  { signal, onStep }: PreparationOptions,
): Promise<ConnectionSetup> {
  const connection = { address: formatAddress(address), signal };
  const make = async <Value, Checked>(
    name: string,
    given: PerConnection<Value>,
    check: (value: Value) => Checked,
  ): Promise<Checked> => {
    onStep(`the option ${name}`);
    try {
      // TypeScript can't see that a value of these options is never a function itself.
      return check(typeof given === "function" ? await (given as (of: DialedConnection) => Value)(connection) : given);
    } catch (cause) {
      const text = `The option ${name} failed for the connection to ${connection.address}: ${messageOf(cause)}`;
      throw new RpcError(StatusCode.unavailable, text, { cause });
    }
  };
  const tls = await make("tls", settings.tls, (value) =>
    value === undefined ? value : withTlsFiles(assertTlsVersions(assertObject(value))),
  );
  const metadata = await make<Metadata, Record<string, string>>("metadata", settings.metadata, (value) =>
    toMetadataHeaders(assertObject(value)),
  );
  const proxy = await make("proxy", settings.proxy, (value) => (value === undefined ? value : parseProxy(value)));
  if (proxy === undefined || address.kind === "unix") return { metadata, tls, tunnel: undefined };
  onStep(`the proxy ${proxy.name}`);
  return { metadata, tls, tunnel: await openTunnel(proxy, connection) };
}

function assertObject<Value>(value: Value): Value {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new TypeError(`It gave ${value === null ? "null" : `a value of type ${typeof value}`}. Return an object.`);
}
