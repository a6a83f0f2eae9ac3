import type { SecureContextOptions } from "node:tls";
import {
  anyTime,
  assertOptions,
  assertText,
  errorText,
  number,
  optionShape,
  options as optionsOf,
  TroupeError,
} from "../core/internal.ts";
import {
  assertQueueFits,
  type DrainWorkerOptions,
  Host,
  type HostOptions,
  type HostStartOptions,
  type HostStopOptions,
  hostKinds,
  type InspectOptions,
} from "../host/internal.ts";
import { type StopWhenSignalOptions, stopWhenSignal, stopWhenSignalKinds } from "../process/internal.ts";
import {
  type GrpcListener,
  type GrpcListenerOptions,
  grpcListener,
  listenerKinds,
  RpcError,
  StatusCode,
} from "../transport/internal.ts";
import { GrpcWorkerAgentRuntimeHostServicer } from "./grpc-worker-agent-runtime-host-servicer.ts";

/** Options of a `GrpcWorkerAgentRuntimeHost`: the host's own, and those of its gRPC listener. */
export interface GrpcWorkerAgentRuntimeHostOptions extends HostOptions {
  /**
   * TLS, message size limits, HTTP/2 windows and keep-alive of the listener. Default: plaintext, messages up to 64 MiB, a ping
   * every 10 s to each client. A client from which nothing comes for 20 s after a ping counts as gone.
   */
  readonly channelOptions?: GrpcListenerOptions | undefined;
}

/** Options of a host's stop at a process signal. All are optional. */
export interface HostStopWhenSignalOptions extends StopWhenSignalOptions {
  /** Milliseconds that the host has to end all streams. Default 5 000. */
  readonly graceMs?: number | undefined;
}

const shape = optionShape<GrpcWorkerAgentRuntimeHostOptions>({
  ...hostKinds,
  channelOptions: optionsOf(listenerKinds),
});
const signalShape = optionShape<HostStopWhenSignalOptions>({ ...stopWhenSignalKinds, graceMs: number(anyTime) });

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
  readonly #listener: GrpcListener;

  /** Throws `invalid-argument` for invalid options. The host listens from `start` on. */
  constructor(address: string, given: GrpcWorkerAgentRuntimeHostOptions = {}) {
    assertText(address, "The address of a host, such as 127.0.0.1:50051,");
    assertOptions(given, shape, "A host");
    const { channelOptions, ...options } = given;
    assertQueueFits(options, channelOptions?.maxHeldBytes, "channelOptions.maxHeldBytes");
    const listener = grpcListener({ maxHeldBytes: leastHeldBytes(options), ...channelOptions });
    this.servicer = new GrpcWorkerAgentRuntimeHostServicer(options);
    this.#listener = listener;
    this.#host = new Host({ listener, address, servicer: this.servicer }, { clock: options.clock });
  }

  get address(): string {
    return this.#host.address;
  }

  /** Resolves when the host has stopped; never rejects. */
  get closed(): Promise<void> {
    return this.#host.closed;
  }

  /**
   * Resolves when workers can connect. Rejects with the reason of `signal`, or with `wrong-state` the second time. An address in use
   * is `already-exists`. An address of another machine, or a text that is not an address, is `invalid-argument`.
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
  async stopWhenSignal(given: HostStopWhenSignalOptions = {}): Promise<void> {
    assertOptions(given, signalShape, "stopWhenSignal");
    const { graceMs = 5_000, ...options } = given;
    return stopWhenSignal(options, {
      ended: this.#host.closed,
      stop: () => this.#host.stop({ graceMs }),
      hurry: () => void this.#host.stop({ graceMs: 0 }),
    });
  }

  /**
   * Serves new connections with another certificate, key or authority of clients; what is not given stays. Open connections keep
   * theirs. Throws `invalid-argument` for a certificate that does not fit, which changes nothing, and `wrong-state` for a host
   * without TLS.
   * @example
   * host.reloadTls({ key: await readFile("host.key"), cert: await readFile("host.cert") });
   */
  reloadTls(tls: SecureContextOptions): void {
    try {
      this.#listener.reloadTls(tls);
    } catch (cause) {
      const isPlain = cause instanceof RpcError && cause.code === StatusCode.failedPrecondition;
      throw new TroupeError(isPlain ? "wrong-state" : "invalid-argument", errorText(cause), { cause });
    }
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
   * Lets a worker stop as an operator wants it. The host tells it to, and gives it no new agents of shared types. Those that it has move to
   * other workers, and calls to them wait. Resolves when the worker has said that it stops, and holds no agent of a shared
   * type any more, or after `graceMs`. `workerId` is that of `inspect()`.
   */
  drainWorker(workerId: string, options?: DrainWorkerOptions) {
    return this.#host.drainWorker(workerId, options);
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

const defaultHeldBytes = 128 * 1024 * 1024;

/** Returns the bytes that a connection may make the host keep. The queue of its worker is part of them, and answers may take twice its bound. */
function leastHeldBytes({ maxQueuedBytes = 0 }: HostOptions): number {
  return Math.max(defaultHeldBytes, 2 * maxQueuedBytes);
}
