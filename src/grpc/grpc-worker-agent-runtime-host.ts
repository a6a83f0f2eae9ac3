import type { SecureContextOptions } from "node:tls";
import {
  anyTime,
  anything,
  assertOptions,
  assertText,
  errorText,
  number,
  type OptionKinds,
  optionShape,
  options as optionsOf,
  TroupeError,
  text,
} from "../core/internal.ts";
import {
  assertQueueFits,
  clusterSettingsKinds,
  type DrainWorkerOptions,
  Host,
  type HostClusterOptions,
  type HostClusterSettings,
  type HostHealth,
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
import { grpcPeerTransport, type PeerTls } from "./grpc-peer-transport.ts";
import { GrpcWorkerAgentRuntimeHostServicer } from "./grpc-worker-agent-runtime-host-servicer.ts";

/** The cluster that a host joins; its hosts have links over gRPC. */
export interface GrpcClusterOptions extends HostClusterSettings {
  /** Certificates by which the hosts know each other. Default: none; beyond loopback a cluster needs them, or `peerSecret`. */
  readonly peerTls?: PeerTls | undefined;
}

/** Options of a `GrpcWorkerAgentRuntimeHost`: the host's own, and those of its gRPC listener. */
export interface GrpcWorkerAgentRuntimeHostOptions extends Omit<HostOptions, "cluster"> {
  /**
   * The cluster that the host joins when it starts, so that workers of all its hosts reach each other. Such a host keeps states only in a store that
   * takes several writers; without `stateStore` it keeps none, and persistent agents are refused. It excludes `allowMultipleOwners`.
   * Default: the host is alone.
   */
  readonly cluster?: GrpcClusterOptions | undefined;
  /**
   * TLS, message size limits, HTTP/2 windows and keep-alive of the listener. Default: plaintext, messages up to 64 MiB, a ping
   * every 10 s to each client. A client from which nothing comes for 20 s after a ping counts as gone. In a cluster both times are 5 s.
   */
  readonly channelOptions?: GrpcListenerOptions | undefined;
}

/** Options of a host's stop at a process signal. All are optional. */
export interface HostStopWhenSignalOptions extends StopWhenSignalOptions {
  /** Milliseconds that the host has to end all streams. Default 5 000. */
  readonly graceMs?: number | undefined;
}

const tlsKinds: OptionKinds<PeerTls> = { ca: anything, cert: text, key: text };
const shape = optionShape<GrpcWorkerAgentRuntimeHostOptions>({
  ...hostKinds,
  cluster: optionsOf<GrpcClusterOptions>({ ...clusterSettingsKinds, peerTls: optionsOf(tlsKinds) }),
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
    const { channelOptions, cluster, ...own } = given;
    const options: HostOptions = { ...own, cluster: cluster && overGrpc(cluster) };
    assertQueueFits(options, channelOptions?.maxHeldBytes, "channelOptions.maxHeldBytes");
    const listener = grpcListener({
      ...{ maxHeldBytes: leastHeldBytes(options), ...(cluster === undefined ? {} : clusterPings) },
      ...channelOptions,
    });
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

  /** The state of the host for probes; it takes workers and keeps its promises only while it is `serving`. */
  get health(): HostHealth {
    return this.#host.health;
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

/** A lost worker is noticed sooner in a cluster: its agents wait until it is buried. */
const clusterPings = { pingIntervalMs: 5_000, pingTimeoutMs: 5_000 };

function overGrpc({ peerTls, ...settings }: GrpcClusterOptions): HostClusterOptions {
  return { ...settings, transport: grpcPeerTransport({ tls: peerTls }) };
}

const defaultHeldBytes = 128 * 1024 * 1024;

/** Returns the bytes that a connection may make the host keep. The queue of its worker is part of them, and answers may take twice its bound. */
function leastHeldBytes({ maxQueuedBytes = 0 }: HostOptions): number {
  return Math.max(defaultHeldBytes, 2 * maxQueuedBytes);
}
