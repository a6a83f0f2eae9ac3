import { TroupeError } from "../core/internal.ts";
import { Host, type HostOptions } from "../host/internal.ts";
import { type GrpcListenerOptions, grpcListener } from "../transport/internal.ts";
import { defaultStopSignals, untilSignal } from "../worker/internal.ts";
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
   * Waits for one of the signals, then stops; a second one then does what it does in any process, and ends it. Resolves
   * early when the host is stopped in another way.
   */
  async stopWhenSignal(graceSeconds = 5, signals: readonly NodeJS.Signals[] = defaultStopSignals): Promise<void> {
    await untilSignal(signals, this.#host.closed);
    await this.stop(graceSeconds);
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
