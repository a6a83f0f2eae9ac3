import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { TransportAddress } from "../../address.ts";
import { leastTlsVersion } from "../tls-check.ts";
import type { ConnectionSetup } from "./connection-setup.ts";

/** Begins a TCP, Unix or TLS connection, inside the tunnel if there is one. It need not be established when the function returns. */
export function openClientSocket(address: TransportAddress, { tls, tunnel }: ConnectionSetup): Socket {
  const target = tunnel !== undefined ? { socket: tunnel } : targetOf(address);
  const isTls = isSecure(address, tls);
  const socket = isTls
    ? connectTls({ minVersion: leastTlsVersion, ...serverName(address), ...tls, ...target, ALPNProtocols: ["h2"] })
    : (tunnel ?? connectTcp({ ...targetOf(address), noDelay: true }));
  socket.setNoDelay(true);
  return socket;
}

function targetOf(address: TransportAddress) {
  return address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port };
}

/** Returns the address's authority, in the sense of HTTP/2, as a URL. */
export function authorityUrl(address: TransportAddress, { tls }: ConnectionSetup): string {
  const scheme = isSecure(address, tls) ? "https" : "http";
  if (address.kind === "unix") return `${scheme}://localhost`;
  const host = address.host.includes(":") ? `[${address.host.replace(/%.*$/, "")}]` : address.host;
  return `${scheme}://${host}:${address.port}`;
}

function isSecure(address: TransportAddress, tls: ConnectionSetup["tls"]): boolean {
  return address.secure || tls !== undefined;
}

/** Returns the server name for TLS. An IP address is not allowed there. */
function serverName(address: TransportAddress): { servername?: string } {
  if (address.kind === "unix" || /^[\d.]+$|:/.test(address.host)) return {};
  return { servername: address.host };
}
