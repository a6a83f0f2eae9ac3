import { Buffer } from "node:buffer";
import process from "node:process";
import { RpcError, StatusCode } from "./rpc-status.ts";

/** An address to connect to or listen on. `path` names a Unix socket and excludes host and port. */
export type TransportAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly secure: boolean }
  | { readonly kind: "unix"; readonly path: string; readonly secure: boolean };

/** Bytes of a socket's path that the system takes. Node cuts a longer path without notice, and listens elsewhere. */
const longestSocketPath = process.platform === "darwin" ? 103 : 107;

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i;

/**
 * Parses `host:port`, `[::1]:port`, `http://…`, `https://…`, `dns:///host:port`, `ipv4:…` and `unix:/path`. The port
 * may be missing only behind `http://` (80) and `https://` (443). Throws `RpcError` (invalid-argument) for anything
 * else.
 */
export function parseAddress(text: string): TransportAddress {
  const trimmed = text.trim();
  if (trimmed.startsWith("unix:")) return parseUnix(text, trimmed.slice("unix:".length));
  const scheme = SCHEME.exec(trimmed)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
      return parseHostPort(text, trimmed.replace(/^(dns|ipv4|ipv6):(?!\d+$)/i, ""), { secure: false });
    case "http":
      return parseHostPort(text, withoutScheme(trimmed), { secure: false, defaultPort: 80 });
    case "https":
      return parseHostPort(text, withoutScheme(trimmed), { secure: true, defaultPort: 443 });
    case "dns":
      // dns://<resolver>/host:port: we do not choose the resolver, so its name is dropped.
      return parseHostPort(text, withoutScheme(trimmed).replace(/^[^/]*\//, ""), { secure: false });
    default:
      throw badAddress(text, `the scheme "${scheme}" is unknown`);
  }
}

/**
 * Formats an address as logs and `Listening.address` show it: `host:port`, with an IPv6 host in brackets, or
 * `unix:/path`.
 */
export function formatAddress(address: TransportAddress): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  return `${formatHost(address.host)}:${address.port}`;
}

/** Puts an IPv6 host into brackets; leaves any other host as it is. */
export function formatHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

interface HostPortRules {
  readonly secure: boolean;
  readonly defaultPort?: number;
}

function parseHostPort(text: string, hostPort: string, rules: HostPortRules): TransportAddress {
  const bare = rules.defaultPort === undefined ? hostPort : hostPort.replace(/\/+$/, "");
  const match = /^(?:\[([0-9a-f:.%a-z]+)\]|([^[\]:/?#@\s]+))(?::(\d{1,5}))?$/i.exec(bare);
  if (match === null) throw badAddress(text, whyUnreadable(bare));
  const host = match[1] ?? match[2];
  const port = match[3] === undefined ? rules.defaultPort : Number(match[3]);
  if (host === undefined) throw badAddress(text);
  if (port === undefined) throw badAddress(text, "the port is missing");
  if (port > 65535) throw badAddress(text, `the port ${port} is above 65535`);
  // HTTP/2 names the server by a URL, so a host that no URL can hold cannot be dialled.
  if (!URL.canParse(`http://${formatHost(host.replace(/%.*$/, ""))}:${port}`)) {
    throw badAddress(text, `"${host}" is neither a name nor an IP address`);
  }
  return { kind: "tcp", host, port, secure: rules.secure };
}

function whyUnreadable(text: string): string | undefined {
  if (isBareIpv6(text)) return "an IPv6 address needs brackets, [::1]:50051";
  if (!text.includes(",")) return undefined;
  const parts = text.split(",").map((part) => `"${part.trim()}"`);
  return `several addresses are an array: [${parts.join(", ")}]`;
}

function isBareIpv6(text: string): boolean {
  return /^[0-9a-f.]*(:[0-9a-f.]*){2,}$/i.test(text);
}

function parseUnix(text: string, rest: string): TransportAddress {
  const path = rest.startsWith("//") ? rest.slice(2) : rest;
  if (path === "") throw badAddress(text, "the path of the Unix socket is missing");
  const bytes = Buffer.byteLength(path);
  if (bytes > longestSocketPath) {
    throw badAddress(text, `the path of the Unix socket has ${bytes} bytes, and the system takes ${longestSocketPath}`);
  }
  return { kind: "unix", path, secure: false };
}

function withoutScheme(text: string): string {
  return text.replace(SCHEME, "");
}

function badAddress(text: string, why?: string): RpcError {
  const because = why === undefined ? "" : `: ${why}`;
  return new RpcError(
    StatusCode.invalidArgument,
    `"${text}" is not an address${because}. Write host:port (127.0.0.1:50051), [IPv6]:port, http://host:port or unix:/path.`,
  );
}

/** IPv4 loopback, also mapped into IPv6, IPv6 loopback, and the name for both. */
const loopbackHost = /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|::ffff:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|localhost)$/i;

/** Whether this machine alone reaches an address. A name other than `localhost` may lead anywhere. */
export function isLocalAddress(address: TransportAddress): boolean {
  return address.kind === "unix" || loopbackHost.test(address.host);
}
