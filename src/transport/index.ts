/**
 * Transports that carry frames between workers and hosts: the ports `Dialer`, `Link` and `Listener`, gRPC, and a network in
 * memory. It also has the options of gRPC connections and the status codes that a host's `authorize` answers with.
 *
 * @example
 * ```ts
 * import { Host } from "troupe/host";
 * import { createMemoryNetwork } from "troupe/transport";
 * import { WorkerRuntime } from "troupe/worker";
 *
 * const network = createMemoryNetwork();
 * await using host = new Host({ listener: network, address: "127.0.0.1:0" });
 * await host.start();
 * const worker = new WorkerRuntime({ dialer: network, address: host.address });
 * ```
 *
 * @packageDocumentation
 */

export { createMemoryAccountant } from "./accounting/fair-accountant.ts";
export type {
  AccountOptions,
  AccountUse,
  GaveWay,
  MemoryAccount,
  MemoryAccountant,
  MemoryAccountantOptions,
  SharedBound,
  SiblingOptions,
} from "./accounting/memory-account.ts";
export type { GrpcDialerOptions } from "./grpc/client/client-options.ts";
export type { DialedConnection, PerConnection } from "./grpc/client/connection-setup.ts";
export type { Environment } from "./grpc/client/environment-proxy.ts";
export { environmentProxy } from "./grpc/client/environment-proxy.ts";
export { grpcDialer } from "./grpc/client/grpc-client.ts";
export type { GrpcListener } from "./grpc/server/grpc-server.ts";
export { grpcListener } from "./grpc/server/grpc-server.ts";
export type { GrpcListenerOptions } from "./grpc/server/server-options.ts";
export type { TlsFileOptions } from "./grpc/tls-files.ts";
export type { ConnectionLimitOptions, MessageLimitOptions } from "./limits.ts";
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
  ListenOptions,
  Metadata,
  RefusedHandshake,
  ServerStream,
  ServerStreamReceiver,
  StreamEnd,
  StreamOptions,
  StreamReceiver,
  UnaryOptions,
} from "./link.ts";
export type { ListenerCounters } from "./listener-counters.ts";
export type { MemoryNetwork, MemoryNetworkOptions } from "./memory/memory-network.ts";
export { createMemoryNetwork } from "./memory/memory-network.ts";
export type { Schedule } from "./memory/memory-pipe.ts";
export type { RpcErrorOptions, RpcStatus, StatusOrigin } from "./rpc-status.ts";
export { RpcError, StatusCode } from "./rpc-status.ts";
