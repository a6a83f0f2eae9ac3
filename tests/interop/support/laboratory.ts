import { GrpcWorkerAgentRuntimeHost, type GrpcWorkerAgentRuntimeHostOptions } from "troupe/grpc";
import { Opened } from "../../support/opened.ts";
import type { Generation } from "./generations.ts";
import { GrpcPythonChannel } from "./grpc-python-channel.ts";
import type { PythonAgent } from "./peer-protocol.ts";
import type { PythonPeer } from "./python-peer.ts";
import { type PythonWorkerOptions, startPythonWorker, startRawGrpc } from "./python-peers.ts";
import { TypeScriptWorker, type TypeScriptWorkerOptions } from "./typescript-worker.ts";

/** Our host, and peers that join it: workers of one generation of Python, ours, and grpc-python without a runtime. */
export class Laboratory implements AsyncDisposable {
  readonly host: GrpcWorkerAgentRuntimeHost;
  readonly generation: Generation;
  readonly #opened = new Opened();
  #raw: Promise<PythonPeer> | undefined;

  private constructor(generation: Generation, host: GrpcWorkerAgentRuntimeHost) {
    this.generation = generation;
    this.host = this.#opened.use(host);
  }

  static async start(generation: Generation, options?: GrpcWorkerAgentRuntimeHostOptions): Promise<Laboratory> {
    const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", options);
    await host.start();
    return new Laboratory(generation, host);
  }

  async python(agents: readonly PythonAgent[] = [], options: PythonWorkerOptions = {}): Promise<PythonPeer> {
    return this.#opened.use(await startPythonWorker(this.generation, this.host.address, agents, options));
  }

  async typescript(options: TypeScriptWorkerOptions = {}): Promise<TypeScriptWorker> {
    return this.#opened.use(await TypeScriptWorker.start(this.host.address, options));
  }

  /** grpc-python as a bare client; one process, however often it is asked for. */
  grpcPython(): Promise<PythonPeer> {
    this.#raw ??= startRawGrpc(this.generation).then((peer) => this.#opened.use(peer));
    return this.#raw;
  }

  /** A channel of a bare client that the host has taken. */
  async channel(clientId: string): Promise<GrpcPythonChannel> {
    return GrpcPythonChannel.open(await this.grpcPython(), this.host.address, { clientId }).joined();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened[Symbol.asyncDispose]();
  }
}
