import type { HostOptions } from "../../src/host/index.ts";
import { Host } from "../../src/host/index.ts";
import { type Link, grpcDialer, grpcListener } from "../../src/transport/index.ts";

/** A host on some transport, and a way to dial it that says who is calling. */
export interface HostRig extends AsyncDisposable {
  readonly host: Host;
  dial(userAgent?: string): Link;
}

export interface HostTransport {
  readonly name: string;
  start(options?: HostOptions): Promise<HostRig>;
}

/** Every test of the host runs over each of these. */
export const hostTransports: readonly HostTransport[] = [{ name: "gRPC", start: startOverGrpc }];

async function startOverGrpc(options: HostOptions = {}): Promise<HostRig> {
  const host = new Host({ listener: grpcListener(), address: "127.0.0.1:0" }, options);
  await host.start();
  const links: Link[] = [];
  return {
    host,
    dial: (userAgent) => {
      const link = grpcDialer(userAgent === undefined ? {} : { userAgent }).dial(host.address);
      links.push(link);
      return link;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(links.map((link) => link.close()));
      await host.stop(0);
    },
  };
}
