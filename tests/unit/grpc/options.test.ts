import { SingleThreadedAgentRuntime } from "troupe";
import {
  GrpcWorkerAgentRuntime,
  GrpcWorkerAgentRuntimeHost,
  type GrpcWorkerAgentRuntimeHostOptions,
  type GrpcWorkerAgentRuntimeOptions,
} from "troupe/grpc";
import { Host } from "troupe/host";
import { grpcListener } from "troupe/transport";
import { describe, expect, test } from "vitest";

const refusal = (name: string) => expect.objectContaining({ code: "invalid-argument", message: nameIn(name) });
const nameIn = (name: string) => expect.stringContaining(name);
const worker = (options: GrpcWorkerAgentRuntimeOptions) => new GrpcWorkerAgentRuntime("127.0.0.1:1", options);
const host = (options: GrpcWorkerAgentRuntimeHostOptions) => new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", options);

/** What plain JavaScript lets through; the compiler takes `never` for anything. */
function given(value: unknown): never {
  return value as never;
}

describe("a value among the options that can't be meant is refused, naming the option:", () => {
  test.each<[string, GrpcWorkerAgentRuntimeOptions]>([
    ["maxConcurrentHandlers", { maxConcurrentHandlers: 0 }],
    ["maxConcurrentHandlers", { maxConcurrentHandlers: Number.NaN }],
    ["startTimeoutMs", { startTimeoutMs: Number.NaN }],
    ["startTimeoutMs", { startTimeoutMs: 0 }],
    ["keepAliveMs", { keepAliveMs: Number.NaN }],
    ["drainTimeoutMs", { drainTimeoutMs: -1 }],
    ["maxMessageBytes", { maxMessageBytes: -1 }],
    ["maxOutboxBytes", { maxOutboxBytes: 0 }],
    ["defaultTimeoutMs", { defaultTimeoutMs: 0 }],
    ["maxQueuedMessages", { whileDisconnected: { maxQueuedMessages: Number.NaN } }],
    ["whileDisconnected.events", { whileDisconnected: { events: given("drop") } }],
    ["whileDisconnected.calls", { whileDisconnected: { calls: given("wait") } }],
    ["controlChannel", { controlChannel: given("never") }],
    ["maxReceiveMessageBytes", { channelOptions: { maxReceiveMessageBytes: -1 } }],
    ["windowBytes", { channelOptions: { windowBytes: 2 ** 31 } }],
    ["connectTimeoutMs", { channelOptions: { connectTimeoutMs: Number.POSITIVE_INFINITY } }],
  ])("a worker's %s %o", (name, options) => {
    expect(() => worker(options)).toThrow(refusal(name));
  });

  test.each<[string, GrpcWorkerAgentRuntimeHostOptions]>([
    ["maxSessions", { maxSessions: 0 }],
    ["maxQueuedBytes", { maxQueuedBytes: 10 }],
    ["maxHeldBytes", { maxQueuedBytes: 64 * 2 ** 20, channelOptions: { maxHeldBytes: 32 * 2 ** 20 } }],
    ["callTimeoutMs", { callTimeoutMs: Number.NaN }],
    ["channelWaitMs", { channelWaitMs: -1 }],
    ["maxConcurrentStreams", { channelOptions: { maxConcurrentStreams: Number.POSITIVE_INFINITY } }],
    ["maxHeaderBytes", { channelOptions: { maxHeaderBytes: Number.POSITIVE_INFINITY } }],
    ["whenFull", { whenFull: given("wait") }],
    ["dotnetErrors", { dotnetErrors: given("payload") }],
    ["maxReceiveMessageBytes", { channelOptions: { maxReceiveMessageBytes: 0 } }],
  ])("a host's %s %o", (name, options) => {
    expect(() => host(options)).toThrow(refusal(name));
  });

  test("a queue that the connections of the host's own listener could never fill", () => {
    const parts = { listener: grpcListener({ maxHeldBytes: 32 * 2 ** 20 }), address: "127.0.0.1:0" };
    expect(() => new Host(parts, { maxQueuedBytes: 64 * 2 ** 20 })).toThrow(refusal("maxHeldBytes"));
    expect(() => new Host(parts, { maxQueuedBytes: 16 * 2 ** 20 })).not.toThrow();
  });

  test("a runtime's in process", () => {
    expect(() => new SingleThreadedAgentRuntime({ drainTimeoutMs: Number.NaN })).toThrow(refusal("drainTimeoutMs"));
    expect(() => new SingleThreadedAgentRuntime({ defaultTimeoutMs: -5 })).toThrow(refusal("defaultTimeoutMs"));
  });
});

test("an address that is missing is refused, saying what it looks like", () => {
  const missing = undefined as never;
  for (const make of [() => new GrpcWorkerAgentRuntime(missing), () => new GrpcWorkerAgentRuntimeHost(missing)]) {
    expect(make).toThrow(expect.objectContaining({ code: "invalid-argument", message: nameIn("127.0.0.1:50051") }));
  }
});

test("numbers at their limits are taken: none, any, no bound", () => {
  const none = 0;
  const any = Number.POSITIVE_INFINITY;
  worker({ keepAliveMs: none, drainTimeoutMs: none, stockHostMaxBytes: none, maxConcurrentHandlers: any });
  worker({ startTimeoutMs: any, drainTimeoutMs: any });
  worker({ defaultTimeoutMs: any, maxOutboxBytes: any, whileDisconnected: { maxQueuedMessages: none } });
  host({ callTimeoutMs: none, reconnectGraceMs: none, channelWaitMs: none, stockPeerMaxBytes: none });
});
