/**
 * Workers and hosts over gRPC, under the names that AutoGen gives them. Most programs need this entry point and `troupe`.
 *
 * @example
 * ```ts
 * import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
 *
 * await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
 * await host.start();
 * const worker = new GrpcWorkerAgentRuntime(host.address);
 * await worker.start();
 * await worker.stop();
 * ```
 *
 * @packageDocumentation
 */

export type { PeerTls } from "./grpc-peer-transport.ts";
export type { GrpcWorkerAgentRuntimeOptions } from "./grpc-worker-agent-runtime.ts";
export { GrpcWorkerAgentRuntime } from "./grpc-worker-agent-runtime.ts";
export type {
  GrpcClusterOptions,
  GrpcWorkerAgentRuntimeHostOptions,
  HostStopWhenSignalOptions,
} from "./grpc-worker-agent-runtime-host.ts";
export { GrpcWorkerAgentRuntimeHost } from "./grpc-worker-agent-runtime-host.ts";
export { GrpcWorkerAgentRuntimeHostServicer } from "./grpc-worker-agent-runtime-host-servicer.ts";
