export type { GrpcWorkerAgentRuntimeOptions } from "./grpc-worker-agent-runtime.ts";
export { GrpcWorkerAgentRuntime } from "./grpc-worker-agent-runtime.ts";
export type { GrpcWorkerAgentRuntimeHostOptions, HostStopWhenSignalOptions } from "./grpc-worker-agent-runtime-host.ts";
export { GrpcWorkerAgentRuntimeHost } from "./grpc-worker-agent-runtime-host.ts";
export { GrpcWorkerAgentRuntimeHostServicer } from "./grpc-worker-agent-runtime-host-servicer.ts";
