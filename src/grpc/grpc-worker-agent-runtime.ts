import { type GrpcDialerOptions, grpcDialer } from "../transport/index.ts";
import { type WorkerOptions, WorkerRuntime } from "../worker/index.ts";

export interface GrpcWorkerAgentRuntimeOptions extends WorkerOptions {
  /** TLS, message size limits, keep-alive and HTTP/2 windows of the connection. Default: plaintext, messages up to 64 MiB. */
  readonly channelOptions?: GrpcDialerOptions | undefined;
}

/**
 * A worker of AutoGen's gRPC runtime: joins the host at `hostAddress` (`host:port`), ours, Python's or .NET's (protocol.md §5.9).
 * Throws `invalid-argument` for a `payloadSerializationFormat` that is not of the two. Connects at `start`.
 */
export class GrpcWorkerAgentRuntime extends WorkerRuntime {
  constructor(hostAddress: string, { channelOptions, ...options }: GrpcWorkerAgentRuntimeOptions = {}) {
    super({ ...options, dialer: grpcDialer(channelOptions), address: hostAddress });
  }
}
