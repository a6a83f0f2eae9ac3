import { Host, type HostOptions } from "../host/internal.ts";
import { createMemoryNetwork, type Dialer, grpcDialer, grpcListener } from "../transport/internal.ts";

/** A running host and the dialer that reaches it; `await using` stops it at once. */
export interface TestHost extends AsyncDisposable {
  readonly host: Host;
  readonly address: string;
  /** What a `WorkerRuntime` is given beside the address. */
  readonly dialer: Dialer;
}

export interface TestHostOptions extends HostOptions {
  /** `memory`: frames pass inside this process. `grpc`: a real port of 127.0.0.1. Default `memory`. */
  readonly link?: "memory" | "grpc";
}

/** Starts a host for a test, on a free address. */
export async function startTestHost({ link = "memory", ...options }: TestHostOptions = {}): Promise<TestHost> {
  const network = link === "memory" ? createMemoryNetwork() : undefined;
  const host = new Host({ listener: network ?? grpcListener(), address: "127.0.0.1:0" }, options);
  await host.start();
  return {
    host,
    address: host.address,
    dialer: network ?? grpcDialer(),
    [Symbol.asyncDispose]: () => host.stop({ graceMs: 0 }),
  };
}
