import { TroupeError } from "../core/internal.ts";
import {
  Host,
  type HostOptions,
  type HostStartOptions,
  type HostStopOptions,
  type InspectOptions,
} from "../host/internal.ts";
import { type StopWhenSignalOptions, stopWhenSignal } from "../process/internal.ts";
import { type GrpcListenerOptions, grpcListener } from "../transport/internal.ts";
import { assertListenerNumbers } from "./channel-numbers.ts";
import { GrpcWorkerAgentRuntimeHostServicer } from "./grpc-worker-agent-runtime-host-servicer.ts";

/** Options of a `GrpcWorkerAgentRuntimeHost`: the host's own, and those of its gRPC listener. */
export interface GrpcWorkerAgentRuntimeHostOptions extends HostOptions {
  /**
   * TLS, message size limits, HTTP/2 windows and keep-alive of the listener. Default: plaintext, messages up to 64 MiB, a ping
   * every 10 s to each client. A client from which nothing comes for 20 s after a ping counts as gone.
   */
  readonly channelOptions?: GrpcListenerOptions;
}

/** Options of a host's stop at a process signal. All are optional. */
export interface HostStopWhenSignalOptions extends StopWhenSignalOptions {
  /** Milliseconds that the host has to end all streams. Default 5 000. */
  readonly graceMs?: number | undefined;
}

// protocol.md §5.9
/**
 * The host that workers of AutoGen's gRPC runtime connect to. `address` is `host:port`; with port 0 it reads as the real one
 * once the host has started. It starts once; `await using` stops it.
 *
 * @example
 * ```ts
 * await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:50051");
 * await host.start();
 * await host.stopWhenSignal();
 * ```
 */
export class GrpcWorkerAgentRuntimeHost implements AsyncDisposable {
  readonly servicer: GrpcWorkerAgentRuntimeHostServicer;
  readonly #host: Host;

  /** Throws `invalid-argument` for invalid options. The host listens from `start` on. */
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

  /**
   * Resolves when workers can connect. Rejects with `Host runtime is already started.`, with the reason why the host can't listen
   * on the address, or with the reason of `signal`.
   */
  start(options?: HostStartOptions): Promise<void> {
    return this.#host.start(options);
  }

  /**
   * Tells Troupe's workers that the host leaves, answers pending calls with an error and ends all streams. It may take
   * `graceSeconds`, as AutoGen's users write it, or `{ graceMs, signal }`. Default: 5 s. A second call may shorten the time.
   */
  stop(grace: number | HostStopOptions = {}): Promise<void> {
    return this.#host.stop(typeof grace === "number" ? { graceMs: grace * 1_000 } : grace);
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
      stop: () => this.#host.stop({ graceMs }),
      hurry: () => void this.#host.stop({ graceMs: 0 }),
    });
  }

  /** Returns what the host has counted so far, and its present numbers; a copy. */
  counters() {
    return this.#host.counters();
  }

  /** Returns the numbers of each worker that has a data channel now, at once. See `inspect()` for more. */
  sessions() {
    return this.#host.sessions();
  }

  /**
   * Shows the present of the host: workers with address, principal, types and queues, agent types with their owners, and totals. The
   * host gathers it over several turns of the event loop, so that messages go on meanwhile.
   */
  inspect(options?: InspectOptions) {
    return this.#host.inspect(options);
  }

  /**
   * Forgets the state that a worker of AutoGen 0.4.0 to 0.4.5 has saved for an agent. Resolves to false if there was none. Rejects
   * as the state store does.
   */
  deleteState(agentId: { readonly type: string; readonly key: string }): Promise<boolean> {
    return this.servicer.deleteState(agentId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
