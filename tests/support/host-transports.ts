import { Host, type HostOptions } from "../../src/host/index.ts";
import {
  createMemoryNetwork,
  type Dialer,
  grpcDialer,
  grpcListener,
  type Link,
  type Listener,
} from "../../src/transport/index.ts";

/** A host on some transport, and a way to dial it that says who is calling. */
export interface HostRig extends AsyncDisposable {
  readonly host: Host;
  /** The user agent is put before the library's own. */
  dial(userAgent?: string): Link;
}

export interface HostTransport {
  readonly name: string;
  start(options?: HostOptions): Promise<HostRig>;
}

/** Every test of the host runs over each of these. */
export const hostTransports: readonly HostTransport[] = [
  { name: "the memory link", start: startInMemory },
  { name: "gRPC", start: startOverGrpc },
];

function startInMemory(options: HostOptions = {}): Promise<HostRig> {
  const network = createMemoryNetwork();
  return startRig(network, (userAgent) => (userAgent === undefined ? network : calledBy(network, userAgent)), options);
}

/** A host over gRPC alone. */
export function startOverGrpc(options: HostOptions = {}): Promise<HostRig> {
  return startRig(grpcListener(), (userAgent) => grpcDialer(userAgent === undefined ? {} : { userAgent }), options);
}

async function startRig(
  listener: Listener,
  dialerFor: (userAgent: string | undefined) => Dialer,
  options: HostOptions,
): Promise<HostRig> {
  const host = new Host({ listener, address: "127.0.0.1:0" }, options);
  await host.start();
  const links: Link[] = [];
  return {
    host,
    dial: (userAgent) => {
      const link = dialerFor(userAgent).dial(host.address);
      links.push(link);
      return link;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(links.map((link) => link.close()));
      await host.stop({ graceMs: 0 });
    },
  };
}

/** The memory link has no user agent to set; metadata of the same name does. */
function calledBy(network: Dialer, userAgent: string): Dialer {
  return {
    dial: (address) => {
      const link = network.dial(address);
      return {
        ready: (options) => link.ready(options),
        unary: (method, request, options) =>
          link.unary(method, request, { ...options, metadata: { ...options?.metadata, "user-agent": userAgent } }),
        openStream: (method, receiver, options) =>
          link.openStream(method, receiver, {
            ...options,
            metadata: { ...options?.metadata, "user-agent": userAgent },
          }),
        close: () => link.close(),
        leaving: link.leaving,
        closed: link.closed,
      };
    },
  };
}
