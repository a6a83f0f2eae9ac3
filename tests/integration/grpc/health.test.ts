import { create, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { status as GrpcStatus } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import {
  GrpcWorkerAgentRuntime,
  GrpcWorkerAgentRuntimeHost,
  type GrpcWorkerAgentRuntimeHostOptions,
} from "../../../src/grpc/index.ts";
import {
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
} from "../../../src/protocol/gen/grpc/health/v1/health_pb.ts";
import {
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "../../../src/protocol/gen/grpc/reflection/v1/reflection_pb.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { StatusCode } from "../../../src/transport/index.ts";
import { AddressProxy } from "../../support/address-proxy.ts";
import { BreakableStore } from "../../support/breakable-store.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { GrpcJsClient } from "../transport/grpc-js-peer.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function start(options: GrpcWorkerAgentRuntimeHostOptions = {}) {
  const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", options);
  await host.start();
  const client = new GrpcJsClient(host.address);
  cleanUps.push(
    () => host.stop({ graceMs: 0 }),
    () => client.close(),
  );
  return { host, client };
}

const request = (service: string) => toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service }));
const statusIn = (answer: Uint8Array) => fromBinary(HealthCheckResponseSchema, answer).status;

async function check(client: GrpcJsClient, service = "") {
  return statusIn(await client.unary("/grpc.health.v1.Health/Check", request(service)));
}

/** Reads what a watch says; `next` resolves to undefined at its end. */
function watch(client: GrpcJsClient, service = "") {
  const stream = client.stream("/grpc.health.v1.Health/Watch");
  stream.on("error", () => undefined);
  const ended = new Promise<{ code: number }>((resolve) => stream.once("status", resolve));
  stream.write(Buffer.from(request(service)));
  stream.end();
  const answers = stream[Symbol.asyncIterator]();
  const next = async () => {
    const { done, value } = await answers.next();
    return done ? undefined : statusIn(value);
  };
  return { next, ended };
}

describe("a health probe, as Kubernetes and load balancers make them", () => {
  test.each(["", "agents.AgentRpc"])("is told that the host serves %j", async (service) => {
    const { client } = await start();
    expect(await check(client, service)).toBe(Status.SERVING);
  });

  test("of a service that the host does not have fails as not found", async () => {
    const { client } = await start();
    await expect(check(client, "no.such.Service")).rejects.toMatchObject({ code: GrpcStatus.NOT_FOUND });
  });

  test("needs no credentials, where workers do", async () => {
    const { host, client } = await start({
      authorize: () => ({ code: StatusCode.unauthenticated, details: "Who are you?" }),
    });
    expect(await check(client)).toBe(Status.SERVING);
    const worker = new GrpcWorkerAgentRuntime(host.address, { logger: new RecordingLogger() });
    await expect(worker.start()).rejects.toThrow("Who are you?");
  });

  test("lists the services", async () => {
    const { client } = await start();
    const { statuses } = fromBinary(
      HealthListResponseSchema,
      await client.unary("/grpc.health.v1.Health/List", new Uint8Array()),
    );
    expect(Object.entries(statuses).map(([name, { status }]) => [name, status])).toEqual([
      ["", Status.SERVING],
      ["agents.AgentRpc", Status.SERVING],
    ]);
  });

  test("that is no health check is refused", async () => {
    const { client } = await start();
    const garbage = client.unary("/grpc.health.v1.Health/Check", Uint8Array.of(0x0a, 0xff));
    await expect(garbage).rejects.toMatchObject({ code: GrpcStatus.INVALID_ARGUMENT });
  });
});

describe("a watch of the host's health", () => {
  test("is told at once, again when the host drains, and then ends; a probe meanwhile is told the same", async () => {
    const { host, client } = await start();
    const worker = new GrpcWorkerAgentRuntime(host.address, { logger: new RecordingLogger(), reconnect: false });
    await worker.start();
    const { next, ended } = watch(client);
    expect(await next()).toBe(Status.SERVING);
    // A worker that reads nothing would hold the drain open; here the probe is sent before the drain can end.
    const draining = host.servicer.drain(5_000, new Promise(() => {}));
    expect(await check(client)).toBe(Status.NOT_SERVING);
    expect(await next()).toBe(Status.NOT_SERVING);
    await draining;
    await worker.closed;
    expect((await ended).code).toBe(GrpcStatus.UNAVAILABLE);
    expect(await next().catch(() => undefined)).toBeUndefined();
  });

  test("does not hold up the stop of a host", async () => {
    const { host, client } = await start();
    const { next, ended } = watch(client);
    expect(await next()).toBe(Status.SERVING);
    await host.stop({ graceMs: 60_000 });
    expect((await ended).code).toBe(GrpcStatus.UNAVAILABLE);
  });

  test("of an unknown service says so, and stays open", async () => {
    const { host, client } = await start();
    const { next, ended } = watch(client, "no.such.Service");
    expect(await next()).toBe(Status.SERVICE_UNKNOWN);
    await host.stop({ graceMs: 60_000 });
    expect((await ended).code).toBe(GrpcStatus.UNAVAILABLE);
  });

  test("has a bound: one too many is refused, and one that ends makes room", async () => {
    const { host } = await start({ channelOptions: { maxConcurrentStreams: 2_000 } });
    const client = new GrpcJsClient(host.address, { "grpc.max_concurrent_streams": 2_000 });
    cleanUps.push(() => client.close());
    const streams = Array.from({ length: 1_000 }, () => client.stream("/grpc.health.v1.Health/Watch"));
    for (const stream of streams) stream.on("error", () => undefined);
    await Promise.all(streams.map((stream) => new Promise((resolve) => stream.once("metadata", resolve))));
    expect((await watch(client).ended).code).toBe(GrpcStatus.RESOURCE_EXHAUSTED);
    const over = new Promise((resolve) => streams[0]?.once("status", resolve));
    streams[0]?.end();
    await over;
    expect(await watch(client).next()).toBe(Status.SERVING);
  });

  test.runIf(process.platform === "linux")(
    "is served to a balancer from another address though one machine has all that there are: that one loses its newest",
    async () => {
      const { host } = await start({ channelOptions: { maxConcurrentStreams: 2_000 } });
      const greedy = new GrpcJsClient(host.address, { "grpc.max_concurrent_streams": 2_000 });
      const proxy = await AddressProxy.to(host.address);
      const balancer = new GrpcJsClient(proxy.address);
      cleanUps.push(
        () => proxy[Symbol.asyncDispose](),
        () => greedy.close(),
        () => balancer.close(),
      );
      const streams = await openAll(greedy, { path: "/grpc.health.v1.Health/Watch", count: 1_000 });
      const lost = Promise.race(streams.map((stream) => new Promise((resolve) => stream.once("status", resolve))));
      const { next } = watch(balancer);
      expect(await next()).toBe(Status.SERVING);
      expect(await lost).toMatchObject({ code: GrpcStatus.RESOURCE_EXHAUSTED });
      expect(host.counters().gaveWay).toBe(1);
      expect((await watch(greedy).ended).code).toBe(GrpcStatus.RESOURCE_EXHAUSTED);
    },
  );
});

/** Opens streams, and waits until the host has accepted each. */
async function openAll(client: GrpcJsClient, { path, count }: { readonly path: string; readonly count: number }) {
  const streams = Array.from({ length: count }, () => client.stream(path));
  for (const stream of streams) stream.on("error", () => undefined);
  await Promise.all(streams.map((stream) => new Promise((resolve) => stream.once("metadata", resolve))));
  return streams;
}

function importsFirst(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const sorted = new Set<FileDescriptorProto>();
  const add = (file: FileDescriptorProto | undefined): void => {
    if (file === undefined) return;
    for (const imported of file.dependency) add(files.find(({ name }) => name === imported));
    sorted.add(file);
  };
  files.forEach(add);
  return [...sorted];
}

describe.each(["grpc.reflection.v1", "grpc.reflection.v1alpha"])("server reflection as %s", (version) => {
  const path = `/${version}.ServerReflection/ServerReflectionInfo`;

  async function ask(client: GrpcJsClient, messageRequest: ServerReflectionRequest["messageRequest"]) {
    const stream = client.stream(path);
    const question = create(ServerReflectionRequestSchema, { messageRequest });
    stream.end(Buffer.from(toBinary(ServerReflectionRequestSchema, question)));
    let answer: Buffer | undefined;
    for await (const frame of stream) answer = frame;
    if (answer === undefined) throw new Error("no answer");
    return fromBinary(ServerReflectionResponseSchema, answer).messageResponse;
  }

  test("is off by default", async () => {
    const { client } = await start();
    await expect(ask(client, { case: "listServices", value: "" })).rejects.toMatchObject({
      code: GrpcStatus.UNIMPLEMENTED,
    });
  });

  test.runIf(process.platform === "linux")(
    "answers a tool from another address though one machine has all streams: that one loses its newest",
    async () => {
      const { host, client: greedy } = await start({ reflection: true });
      const proxy = await AddressProxy.to(host.address);
      const tool = new GrpcJsClient(proxy.address);
      cleanUps.push(
        () => proxy[Symbol.asyncDispose](),
        () => tool.close(),
      );
      const streams = await openAll(greedy, { path, count: 100 });
      const lost = Promise.race(streams.map((stream) => new Promise((resolve) => stream.once("status", resolve))));
      expect((await ask(tool, { case: "listServices", value: "*" })).case).toBe("listServicesResponse");
      expect(await lost).toMatchObject({ code: GrpcStatus.RESOURCE_EXHAUSTED });
      expect(host.counters().gaveWay).toBe(1);
    },
  );

  test("lists the services, and describes them so that a tool can call them", async () => {
    const { client } = await start({ reflection: true });
    const list = await ask(client, { case: "listServices", value: "*" });
    if (list.case !== "listServicesResponse") throw new Error(`a list, not ${list.case}`);
    const names = list.value.service.map(({ name }) => name);
    expect(names).toEqual([
      "agents.AgentRpc",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
    ]);
    for (const name of names) {
      const described = await ask(client, { case: "fileContainingSymbol", value: name });
      if (described.case !== "fileDescriptorResponse") throw new Error(`files, not ${described.case}`);
      const files = described.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
      // A registry needs every file that one of them imports, and that one first.
      const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: importsFirst(files) }));
      expect(registry.getService(name)?.methods.length).toBeGreaterThan(0);
    }
  });

  test.each([
    ["fileContainingSymbol", "agents.AgentRpc.RegisterAgent"],
    ["fileContainingSymbol", "io.cloudevents.v1.CloudEvent.CloudEventAttributeValue"],
    ["fileContainingSymbol", "grpc.health.v1.HealthCheckResponse.ServingStatus"],
    ["fileByFilename", "cloudevents.proto"],
    ["fileByFilename", "google/protobuf/any.proto"],
  ] as const)("finds by %s: %s", async (by, value) => {
    const { client } = await start({ reflection: true });
    expect((await ask(client, { case: by, value })).case).toBe("fileDescriptorResponse");
  });

  test("says that it does not know a symbol", async () => {
    const { client } = await start({ reflection: true });
    expect(await ask(client, { case: "fileContainingSymbol", value: "no.Such" })).toMatchObject({
      case: "errorResponse",
      value: { errorCode: GrpcStatus.NOT_FOUND },
    });
  });

  test("refuses a request that is too long to be repeated in its answer", async () => {
    const { client } = await start({ reflection: true });
    await expect(ask(client, { case: "fileContainingSymbol", value: "x".repeat(5_000) })).rejects.toMatchObject({
      code: GrpcStatus.INVALID_ARGUMENT,
    });
  });
});

test("gRPC's health service says NOT_SERVING while the store can't be used", async () => {
  const [clock, stateStore] = [new ManualClock(), new BreakableStore()];
  const { host, client } = await start({ clock, stateStore });
  const { next } = watch(client);
  expect(await next()).toBe(Status.SERVING);
  stateStore.isBroken = true;
  const call = { method: "GetState", metadata: { "client-id": "c" }, peer: "p", signal: new AbortController().signal };
  await host.servicer.getState({ type: "a", key: "k" }, call).catch(() => undefined);
  expect(await next()).toBe(Status.NOT_SERVING);
  stateStore.isBroken = false;
  clock.advance(2_000);
  expect(await next()).toBe(Status.SERVING);
});
