import { assertOptions, optionShape, realClock, word } from "../core/internal.ts";
import { Host, type HostOptions, hostKinds } from "../host/internal.ts";
import { createMemoryNetwork, type Dialer, grpcDialer, grpcListener } from "../transport/internal.ts";

/** A running host and the dialer that reaches it. Disposing it stops the host immediately. */
export interface TestHost extends AsyncDisposable {
  readonly host: Host;
  readonly address: string;
  /** Dialer for a `WorkerRuntime`. */
  readonly dialer: Dialer;
}

/**
 * Options of `startTestHost`: the host's own, and the link that it uses. The default of `clock` is a clock of the system that fake
 * timers do not move, so that the host works beside them.
 */
export interface TestHostOptions extends HostOptions {
  /** `memory`: frames stay inside this process. `grpc`: a real port of 127.0.0.1. Default: `memory`. */
  readonly link?: "memory" | "grpc" | undefined;
}

const shape = optionShape<TestHostOptions>({ ...hostKinds, link: word("memory", "grpc") });

/**
 * Starts a host for a test, on a free address.
 *
 * @example
 * ```ts
 * await using test = await startTestHost();
 * const worker = new WorkerRuntime({ address: test.address, dialer: test.dialer });
 * await worker.start();
 * ```
 */
export async function startTestHost(given: TestHostOptions = {}): Promise<TestHost> {
  assertOptions(given, shape, "startTestHost");
  const { link = "memory", clock = realClock, ...options } = given;
  const network = link === "memory" ? createMemoryNetwork() : undefined;
  const host = new Host({ listener: network ?? grpcListener(), address: "127.0.0.1:0" }, { ...options, clock });
  await host.start();
  return {
    host,
    address: host.address,
    dialer: network ?? grpcDialer(),
    [Symbol.asyncDispose]: () => host.stop({ graceMs: 0 }),
  };
}
