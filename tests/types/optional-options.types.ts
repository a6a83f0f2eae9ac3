// With exactOptionalPropertyTypes, as this project has it: what a program has read from elsewhere may be undefined.
import { SingleThreadedAgentRuntime } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { MemoryStateStore } from "troupe/storage";
import { startFaultProxy, startTestHost } from "troupe/testing";
import { createMemoryNetwork, grpcDialer, grpcListener, type Link } from "troupe/transport";

declare const ms: number | undefined;
declare const tls: { readonly ca: string } | undefined;
declare const signal: AbortSignal | undefined;
declare const link: Link;

const channelOptions = { tls, windowBytes: ms, pingIntervalMs: ms, maxReceiveMessageBytes: ms };
export const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
  ...{
    callTimeoutMs: ms,
    maxSessions: ms,
    whenFull: undefined,
    authorize: undefined,
    logger: undefined,
    clock: undefined,
  },
  channelOptions: { ...channelOptions, maxConnections: ms, idleTimeoutMs: ms },
});
export const worker = new GrpcWorkerAgentRuntime("127.0.0.1:1", {
  ...{ defaultTimeoutMs: ms, keepAliveMs: ms, reconnect: undefined, whileDisconnected: { callWaitMs: ms } },
  channelOptions: { ...channelOptions, metadata: undefined, userAgent: undefined, connectTimeoutMs: ms },
});
export const others = [
  grpcDialer({ ...channelOptions, connectTimeoutMs: ms }),
  grpcListener({ ...channelOptions, maxHeldBytes: ms }),
  createMemoryNetwork({ clock: undefined, schedule: undefined, windowBytes: ms }),
  new SingleThreadedAgentRuntime({ clock: undefined, defaultTimeoutMs: ms }),
  new MemoryStateStore({ maxBytes: ms, maxEntries: ms, makeId: undefined }),
  startTestHost({ link: undefined, callTimeoutMs: ms, clock: undefined }),
  startFaultProxy({ target: "127.0.0.1:1", clock: undefined, seed: ms }),
  host.inspect({ maxSessions: ms, signal }),
  host.stop({ graceMs: ms, signal }),
  link.unary("GetState", new Uint8Array(), { timeoutMs: ms, signal, metadata: undefined }),
  link.ready({ signal }),
];
