import { lookup } from "node:dns/promises";
import { isIP, type Server } from "node:net";
import type { TransportAddress } from "../../address.ts";
import { errorCode } from "../../system-error.ts";
import { listenOn } from "./listen-on.ts";
import { bindSocketFile } from "./socket-file.ts";

/** Number of times that the listener looks for a port that is free at all addresses of a name. */
const freePortTries = 10;

/**
 * Binds a server to each address that the host's name has here, on one port: clients of `localhost` may dial 127.0.0.1 or [::1].
 * An address that this machine lacks is left out, unless it is the only one. Rejects with the system's error, and then holds none.
 */
export async function bindServers<AnyServer extends Server>(
  makeServer: () => AnyServer,
  address: TransportAddress,
  resolve: (name: string) => Promise<readonly string[]> = addressesOf,
): Promise<readonly AnyServer[]> {
  if (address.kind === "unix") {
    const server = makeServer();
    await bindSocketFile(server, address.path);
    return [server];
  }
  const hosts = isIP(address.host) !== 0 ? [address.host] : await resolve(address.host);
  for (let tries = 1; ; tries += 1) {
    try {
      return await bindAll(makeServer, hosts, address.port);
    } catch (error) {
      // The port that was free at the first address may be taken at the second one.
      if (address.port !== 0 || errorCode(error) !== "EADDRINUSE" || tries === freePortTries) throw error;
    }
  }
}

async function bindAll<AnyServer extends Server>(
  makeServer: () => AnyServer,
  hosts: readonly string[],
  wantedPort: number,
): Promise<readonly AnyServer[]> {
  const bound: AnyServer[] = [];
  let port = wantedPort;
  let absence: unknown;
  for (const host of hosts) {
    const server = makeServer();
    try {
      await listenOn(server, { host, port });
      bound.push(server);
      port = portOf(server) ?? port;
    } catch (error) {
      absence ??= error;
      if (isAbsent(error)) continue;
      await Promise.all(bound.map((other) => new Promise((resolve) => other.close(resolve))));
      throw error;
    }
  }
  if (bound.length === 0) throw absence;
  return bound;
}

/** The port that a server listens on; undefined for a socket file. */
export function portOf(server: Server | undefined): number | undefined {
  const bound = server?.address();
  return typeof bound === "object" ? bound?.port : undefined;
}

async function addressesOf(name: string): Promise<readonly string[]> {
  const found = await lookup(name, { all: true });
  return [...new Set(found.map(({ address }) => address))];
}

/** Whether this machine lacks the address, for instance because IPv6 is off. */
function isAbsent(error: unknown): boolean {
  return ["EADDRNOTAVAIL", "EAFNOSUPPORT"].includes(errorCode(error) ?? "");
}
