export type { GrpcDialerOptions } from "./grpc/client-options.ts";
export { grpcDialer } from "./grpc/grpc-client.ts";
export { grpcListener } from "./grpc/grpc-server.ts";
export type { GrpcListenerOptions } from "./grpc/server-options.ts";
export type { ConnectionLimitOptions, MessageLimitOptions } from "./limits.ts";
export type {
  CallContext,
  Dialer,
  FrameStream,
  Link,
  LinkService,
  Listener,
  Listening,
  Metadata,
  ServerStream,
  ServerStreamReceiver,
  StreamEnd,
  StreamOptions,
  StreamReceiver,
  UnaryOptions,
} from "./link.ts";
export type { ListenerCounters } from "./listener-counters.ts";
export { createListenerTally } from "./listener-counters.ts";
export type { MemoryNetwork, MemoryNetworkOptions } from "./memory-network.ts";
export { createMemoryNetwork } from "./memory-network.ts";
export type { RpcStatus } from "./rpc-status.ts";
export { RpcError, StatusCode } from "./rpc-status.ts";
export { SentFrames } from "./sent-frames.ts";
export { USER_AGENT } from "./user-agent.ts";
