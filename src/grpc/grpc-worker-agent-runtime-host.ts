import { TroupeError } from "../core/internal.ts";
import { Host, type HostOptions } from "../host/internal.ts";
import { type GrpcListenerOptions, grpcListener } from "../transport/internal.ts";
import { type StopWhenSignalOptions, stopWhenSignal } from "../worker/internal.ts";
import { assertListenerNumbers } from "./channel-numbers.ts";
import { GrpcWorkerAgentRuntimeHostServicer } from "./grpc-worker-agent-runtime-host-servicer.ts";

/** Options of a `GrpcWorkerAgentRuntimeHost`: the host's own, and those of its gRPC listener. */
export interface GrpcWorkerAgentRuntimeHostOptions extends HostOptions {
  /**
   * TLS, message size limits, HTTP/2 windows and keep-alive of the listener. Default: plaintext, messages up to 64 MiB, a
   * ping every 10 s to each client, which counts as gone when nothing comes from it for 20 s after one.
   */
  readonly channelOptions?: GrpcListenerOptions;
}

/** How a host stops at a process signal. All optional. */
export interface HostStopWhenSignalOptions extends StopWhenSignalOptions {
  /** Milliseconds that the host has to end all streams. Default 5 000. */
  readonly graceMs?: number | undefined;
}

// protocol.md §5.9
/**
 * A host over gRPC, under AutoGen's name. `address` is `host:port`; with port 0 it names the real port once the host has
 * started. A host starts once; `await using` stops it.
 */
export class GrpcWorkerAgentRuntimeHost implements AsyncDisposable {
  readonly servicer: GrpcWorkerAgentRuntimeHostServicer;
  readonly #host: Host;

  /** Throws `invalid-argument` for options that can't be meant. Listens at `start`. */
  constructor(address: string, { channelOptions, ...options }: GrpcWorkerAgentRuntimeHostOptions = {}) {
    if (typeof address !== "string") {
      throw new TroupeError("invalid-argument", "A host needs the address to listen on, as text: 127.0.0.1:50051.");
    }
    assertListenerNumbers(channelOptions);
    this.servicer = new GrpcWorkerAgentRuntimeHostServicer(options);
    this.#host = new Host({ listener: grpcListener(channelOptions), address, servicer: this.servicer }, options);
  }

  get address(): string {
    return this.#host.address;
  }

  /** Resolves when the host has stopped; never rejects. */
  get closed(): Promise<void> {
    return this.#host.closed;
  }

  /** Resolves when workers can connect. Rejects with `Host runtime is already started.`, or saying why the address can't be had. */
  start(): Promise<void> {
    return this.#host.start();
  }

  /**
   * Tells Troupe's workers that it goes, answers pending calls with an error and ends all streams within `graceSeconds`. A
   * second call may shorten that; never rejects.
   */
  stop(graceSeconds = 5): Promise<void> {
    return this.#host.stop(graceSeconds * 1_000);
  }

  /**
   * Stops at the first process signal, or when the host is stopped in another way; resolves when it has stopped. A second process
   * signal ends the grace, and then the process, with exit code 128 plus the signal's number.
   * @example
   * await host.start();
   * await host.stopWhenSignal({ graceMs: 10_000 }); // SIGTERM, SIGINT or SIGHUP
   */
  stopWhenSignal({ graceMs = 5_000, ...options }: HostStopWhenSignalOptions = {}): Promise<void> {
    return stopWhenSignal(options, {
      ended: this.#host.closed,
      stop: () => this.#host.stop(graceMs),
      hurry: () => void this.#host.stop(0),
    });
  }

  counters() {
    return this.#host.counters();
  }

  /** What is going on with each worker that has a channel now. */
  sessions() {
    return this.#host.sessions();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
