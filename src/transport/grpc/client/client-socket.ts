import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { TransportAddress } from "../../address.ts";
import type { GrpcDialerSettings } from "./client-options.ts";

/** Begins a TCP, Unix or TLS connection. It need not be established when the function returns. */
export function openClientSocket(address: TransportAddress, settings: GrpcDialerSettings): Socket {
  const target = address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port };
  const socket = isSecure(address, settings)
    ? connectTls({ ...serverName(address), ...settings.tls, ...target, ALPNProtocols: ["h2"] })
    : connectTcp({ ...target, noDelay: true });
  socket.setNoDelay(true);
  return socket;
}

/** Returns the address's authority, in the sense of HTTP/2, as a URL. */
export function authorityUrl(address: TransportAddress, settings: GrpcDialerSettings): string {
  const scheme = isSecure(address, settings) ? "https" : "http";
  if (address.kind === "unix") return `${scheme}://localhost`;
  const host = address.host.includes(":") ? `[${address.host.replace(/%.*$/, "")}]` : address.host;
  return `${scheme}://${host}:${address.port}`;
}

function isSecure(address: TransportAddress, settings: GrpcDialerSettings): boolean {
  return address.secure || settings.tls !== undefined;
}

/** Returns the server name for TLS. An IP address is not allowed there. */
function serverName(address: TransportAddress): { servername?: string } {
  if (address.kind === "unix" || /^[\d.]+$|:/.test(address.host)) return {};
  return { servername: address.host };
}
