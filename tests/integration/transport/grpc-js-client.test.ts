import { once } from "node:events";
import { status as GrpcStatus, type StatusObject } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import { HangingService, testService } from "../../../src/testing/contracts/link/test-service.ts";
import { StreamRecorder } from "../../../src/testing/contracts/link.ts";
import {
  type CallContext,
  grpcListener,
  type LinkService,
  RpcError,
  StatusCode,
} from "../../../src/transport/index.ts";
import { GrpcJsClient } from "./grpc-js-peer.ts";

const ECHO = "/agents.AgentRpc/Echo";
const CHANNEL = "/agents.AgentRpc/OpenChannel";
const MIB = 1024 * 1024;
const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function connect(
  service: Partial<LinkService> = {},
  options: ConstructorParameters<typeof GrpcJsClient>[1] = {},
) {
  const listening = await grpcListener({ maxReceiveMessageBytes: 8 * MIB }).listen("127.0.0.1:0", [
    testService(service),
  ]);
  const client = new GrpcJsClient(listening.address, options);
  cleanUps.push(
    () => listening.close(),
    () => client.close(),
  );
  return { client, listening };
}

function statusOf(stream: NodeJS.EventEmitter): Promise<StatusObject> {
  stream.on("error", () => undefined);
  return new Promise((resolve) => stream.once("status", resolve));
}

describe("a grpc-js client on our server", () => {
  it("makes unary calls with metadata, small and large", async () => {
    const calls: CallContext[] = [];
    const { client } = await connect({
      async unary(request, call) {
        calls.push(call);
        return request;
      },
    });
    expect(await client.unary(ECHO, Buffer.from("hello"), { metadata: { "client-id": "c1" } })).toEqual(
      Buffer.from("hello"),
    );
    const large = Buffer.alloc(6 * MIB, 7);
    expect((await client.unary(ECHO, large)).equals(large)).toBe(true);
    expect(calls[0]?.metadata["client-id"]).toBe("c1");
    expect(calls[0]?.metadata["user-agent"]).toMatch(/^grpc-node-js\//);
  });

  it("gets the statuses of refused, failed and unknown calls, with their texts", async () => {
    const { client } = await connect({
      unary: async () => {
        throw new RpcError(StatusCode.failedPrecondition, "zu früh: 50%");
      },
    });
    await expect(client.unary(ECHO, Buffer.of(1))).rejects.toMatchObject({
      code: GrpcStatus.FAILED_PRECONDITION,
      details: "zu früh: 50%",
    });
    await expect(client.unary("/agents.AgentRpc/Nope", Buffer.of(1))).rejects.toMatchObject({
      code: GrpcStatus.UNIMPLEMENTED,
    });
    await expect(client.unary("/other.Service/Echo", Buffer.of(1))).rejects.toMatchObject({
      code: GrpcStatus.UNIMPLEMENTED,
    });
  });

  it("is refused when its message is too large, and can go on", async () => {
    const { client } = await connect();
    await expect(client.unary(ECHO, Buffer.alloc(9 * MIB))).rejects.toMatchObject({
      code: GrpcStatus.RESOURCE_EXHAUSTED,
    });
    expect(await client.unary(ECHO, Buffer.of(1))).toEqual(Buffer.of(1));
  });

  it("has its deadlines enforced at our side too", async () => {
    const service = new HangingService();
    const { client } = await connect({ unary: service.unary });
    // Long enough for a busy machine to begin with the call.
    await expect(client.unary(ECHO, Buffer.of(1), { deadlineMs: 1_500 })).rejects.toMatchObject({
      code: GrpcStatus.DEADLINE_EXCEEDED,
    });
    expect(await service.aborted).toBeInstanceOf(RpcError);
  });

  it("cancels a call, which aborts it here", async () => {
    const service = new HangingService();
    const { client } = await connect({ unary: service.unary });
    const call = client.unary(ECHO, Buffer.of(1), { onCall: (made) => void service.started.then(() => made.cancel()) });
    await expect(call).rejects.toMatchObject({ code: GrpcStatus.CANCELLED });
    await service.aborted;
  });

  it("opens a channel and gets our headers before any message", async () => {
    const server = new StreamRecorder();
    const { client } = await connect({ stream: () => server });
    const stream = client.stream(CHANNEL, { "client-id": "c1" });
    await once(stream, "metadata");
    expect(server.count("open")).toBe(1);
    stream.on("error", () => undefined);
    stream.cancel();
    expect(await server.ended()).toEqual({ by: "peer" });
  });

  it("exchanges messages of any size in order and half-closes", async () => {
    const server = new StreamRecorder();
    const { client } = await connect({ stream: () => server });
    const stream = client.stream(CHANNEL);
    const received: Buffer[] = [];
    stream.on("data", (message: Buffer) => received.push(message));
    const ended = statusOf(stream);
    const sent = [3, 0, 70_000, 1, 2 * MIB, 5].map((size, index) => Buffer.alloc(size, index + 1));
    for (const message of sent) stream.write(message);
    stream.end();
    await server.has("half-close");
    expect(server.frames.map((frame) => Buffer.from(frame).equals(sent.shift() ?? Buffer.of()))).toEqual(
      Array(6).fill(true),
    );
    for (const frame of server.frames) server.stream.send(frame);
    server.stream.finish({ code: StatusCode.ok, details: "" });
    expect((await ended).code).toBe(GrpcStatus.OK);
    expect(received.map((message) => message.length)).toEqual([3, 0, 70_000, 1, 2 * MIB, 5]);
  });

  it("learns the status of a channel that we end or refuse, though it has not half-closed", async () => {
    const server = new StreamRecorder();
    const { client } = await connect({
      stream(call) {
        if (call.metadata["client-id"] === undefined)
          throw new RpcError(StatusCode.invalidArgument, "client-id metadata not found.");
        return server;
      },
    });
    const refused = client.stream(CHANNEL);
    refused.resume();
    expect(await statusOf(refused)).toMatchObject({
      code: GrpcStatus.INVALID_ARGUMENT,
      details: "client-id metadata not found.",
    });
    const replaced = client.stream(CHANNEL, { "client-id": "c1" });
    replaced.resume();
    const ended = statusOf(replaced);
    (await server.opened()).finish({ code: StatusCode.aborted, details: "replaced by a newer channel" });
    expect(await ended).toMatchObject({ code: GrpcStatus.ABORTED, details: "replaced by a newer channel" });
  });

  it("may compress what it sends with gzip or deflate", async () => {
    for (const algorithm of [1, 2]) {
      const server = new StreamRecorder();
      const { client } = await connect({ stream: () => server }, { "grpc.default_compression_algorithm": algorithm });
      const text = Buffer.alloc(100_000, "troupe ");
      expect((await client.unary(ECHO, text)).equals(text)).toBe(true);
      const stream = client.stream(CHANNEL);
      stream.on("error", () => undefined);
      stream.write(text);
      await server.has("frame");
      expect(Buffer.from(server.frames[0] ?? []).equals(text)).toBe(true);
      stream.cancel();
    }
  });

  it("is told of a gzip bomb by one bad frame; its channel lives", async () => {
    const server = new StreamRecorder();
    const { client } = await connect({ stream: () => server }, { "grpc.default_compression_algorithm": 2 });
    const stream = client.stream(CHANNEL);
    stream.on("error", () => undefined);
    stream.write(Buffer.alloc(9 * MIB));
    stream.write(Buffer.from("still here"));
    await server.has("frame");
    expect(server.events.map((event) => event.on)).toEqual(["open", "bad-frame", "frame"]);
    expect(server.badFrames[0]?.code).toBe(StatusCode.resourceExhausted);
    stream.cancel();
  });
});
