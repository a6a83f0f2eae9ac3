// What the command line uses of this room: the host alone, so that `troupe host` loads no worker.

export { grpcPeerTransport } from "./grpc-peer-transport.ts";
export type { GrpcWorkerAgentRuntimeHostOptions } from "./grpc-worker-agent-runtime-host.ts";
export { GrpcWorkerAgentRuntimeHost } from "./grpc-worker-agent-runtime-host.ts";
