// What other rooms and tests use of this room. index.ts holds what users use.
export { createMemoryAccountant, createUncountedAccount } from "./accounting/fair-accountant.ts";
export type { FairCountOptions, Place } from "./accounting/fair-count.ts";
export { FairCount } from "./accounting/fair-count.ts";
export { FairShare } from "./accounting/fair-share.ts";
export type { MemoryAccount, MemoryAccountant, SharedBound } from "./accounting/memory-account.ts";
export { partyOf, partyOfCall } from "./accounting/party-of.ts";
export { formatAddress, isLocalAddress, parseAddress, type TransportAddress } from "./address.ts";
export { SentFrames } from "./calls/sent-frames.ts";
export type { GrpcDialerOptions } from "./grpc/client/client-options.ts";
export { dialerKinds } from "./grpc/client/client-options.ts";
export { grpcDialer } from "./grpc/client/grpc-client.ts";
export type { GrpcListener } from "./grpc/server/grpc-server.ts";
export { grpcListener } from "./grpc/server/grpc-server.ts";
export type { GrpcListenerOptions } from "./grpc/server/server-options.ts";
export { listenerKinds } from "./grpc/server/server-options.ts";
export type {
  AddressBounds,
  CallContext,
  Dialer,
  Exposure,
  FrameStream,
  Link,
  LinkService,
  Listener,
  Listening,
  Metadata,
  RefusedHandshake,
  ServerStream,
  ServerStreamReceiver,
  StreamEnd,
  StreamReceiver,
} from "./link.ts";
export type { ListenerCounters } from "./listener-counters.ts";
export { createListenerCounters } from "./listener-counters.ts";
export type { MemoryNetwork, MemoryNetworkOptions } from "./memory/memory-network.ts";
export { createMemoryNetwork, memoryNetworkKinds } from "./memory/memory-network.ts";
export { USER_AGENT } from "./metadata.ts";
export type { RpcStatus, StatusOrigin } from "./rpc-status.ts";
export { RpcError, StatusCode } from "./rpc-status.ts";
export { errorCode, tlsReason } from "./system-error.ts";
