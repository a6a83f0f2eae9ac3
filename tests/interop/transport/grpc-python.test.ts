import { describe, expect, it } from "vitest";
import { HangingService, testService } from "../../../src/testing/contracts/link/test-service.ts";
import { StreamRecorder } from "../../../src/testing/contracts/link.ts";
import {
  type CallContext,
  grpcDialer,
  grpcListener,
  type LinkService,
  type Listening,
  RpcError,
  StatusCode,
} from "../../../src/transport/index.ts";
import { generations } from "../support/generations.ts";
import type { PythonPeer } from "../support/python-peer.ts";
import { startRawGrpc } from "../support/python-peers.ts";

const MIB = 1024 * 1024;
const LIMIT = 8 * MIB;

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** One at a time: grpc-python's own streams can't take two writes at once. */
async function write(client: PythonPeer, id: string | number, bodies: readonly string[]): Promise<void> {
  for (const body of bodies) {
    client.send({ cmd: "write", id, hex: body });
    await client.next("written", { id });
  }
}

async function reply(server: PythonPeer, call: number, bodies: readonly string[]): Promise<void> {
  for (const body of bodies) await server.next("done", { id: server.send({ cmd: "reply", call, hex: body }) });
}

function listen(service: Partial<LinkService>): Promise<Listening> {
  return grpcListener({ maxReceiveMessageBytes: LIMIT }).listen("127.0.0.1:0", [testService(service)]);
}

// Bare grpc-python, without AutoGen in between: what its C core does on the wire.
for (const generation of generations) {
  describe.skipIf(generation.skipReason)(`grpc-python of ${generation.title} on our server`, () => {
    it("makes unary calls: small, empty, large and compressed", async () => {
      const calls: CallContext[] = [];
      const listening = await listen({
        async unary(request, call) {
          calls.push(call);
          return request;
        },
      });
      await using client = await startRawGrpc(generation);
      const { address } = listening;
      for (const [size, gzip] of [
        [3, false],
        [0, false],
        [2 * MIB, false],
        [100_000, true],
      ] as const) {
        const body = "5a".repeat(size);
        const id = client.send({ cmd: "unary", address, method: "Echo", hex: body, gzip, clientId: "c1" });
        expect(await client.next("unary", { id })).toMatchObject({ code: "OK", hex: body });
      }
      expect(calls[0]?.metadata["client-id"]).toBe("c1");
      expect(calls[0]?.metadata["user-agent"]).toMatch(/^grpc-python/);
      await listening.close();
    });

    it("learns statuses and texts, and a repeated key counts by its last value", async () => {
      const listening = await listen({
        async unary(_request, call) {
          throw new RpcError(StatusCode.invalidArgument, `zu früh, ${call.metadata["client-id"]}: 50%`);
        },
      });
      await using client = await startRawGrpc(generation);
      const { address } = listening;
      const metadata = [
        ["client-id", "first"],
        ["client-id", "last"],
      ] as const;
      const failed = client.send({ cmd: "unary", address, method: "Echo", hex: "00", metadata });
      expect(await client.next("unary", { id: failed })).toMatchObject({
        code: "INVALID_ARGUMENT",
        details: "zu früh, last: 50%",
      });
      const unknown = client.send({ cmd: "unary", address, method: "Nope", hex: "00" });
      expect(await client.next("unary", { id: unknown })).toMatchObject({ code: "UNIMPLEMENTED" });
      const tooLarge = client.send({ cmd: "unary", address, method: "Echo", hex: "00".repeat(LIMIT + 1) });
      expect(await client.next("unary", { id: tooLarge })).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
      await listening.close();
    });

    it("has its deadline kept at both ends", async () => {
      const service = new HangingService();
      const listening = await listen({ unary: service.unary });
      await using client = await startRawGrpc(generation);
      const id = client.send({ cmd: "unary", address: listening.address, method: "Echo", hex: "00", deadlineMs: 150 });
      expect(await client.next("unary", { id })).toMatchObject({ code: "DEADLINE_EXCEEDED" });
      await service.aborted;
      await listening.close();
    });

    it("opens a channel: our headers come first, frames stay in order, half-close and status arrive", async () => {
      const server = new StreamRecorder();
      const listening = await listen({ stream: () => server });
      await using client = await startRawGrpc(generation);
      const id = client.send({ cmd: "open", address: listening.address, gzip: true });
      await client.next("headers", { id });
      const bodies = ["01", "", "ab".repeat(3 * MIB), "02"];
      await write(client, id, bodies);
      await server.has("frame", bodies.length);
      expect(server.frames.map(hex).every((frame, index) => frame === bodies[index])).toBe(true);
      for (const frame of server.frames) server.stream.send(frame);
      for (const body of bodies) expect((await client.next("frame", { id })).hex === body).toBe(true);
      client.send({ cmd: "halfClose", id });
      await server.has("half-close");
      server.stream.finish({ code: StatusCode.aborted, details: "genug" });
      expect(await client.next("closed", { id })).toMatchObject({ code: "ABORTED", details: "genug" });
      await listening.close();
    });

    it("is told the end of a channel it has not half-closed, sees an oversize message skipped, and cancels", async () => {
      const servers = [new StreamRecorder(), new StreamRecorder(), new StreamRecorder()] as const;
      const waiting = [...servers];
      const listening = await listen({ stream: () => waiting.shift() ?? new StreamRecorder() });
      await using client = await startRawGrpc(generation);
      const open = { cmd: "open", address: listening.address } as const;

      const ended = client.send(open);
      (await servers[0].opened()).finish({ code: StatusCode.aborted, details: "replaced by a newer channel" });
      expect(await client.next("closed", { id: ended })).toMatchObject({
        code: "ABORTED",
        details: "replaced by a newer channel",
      });

      const skipping = client.send(open);
      await write(client, skipping, ["01", "00".repeat(LIMIT + 1), "02"]);
      await servers[1].has("frame", 2);
      expect(servers[1].events.map((event) => event.on)).toEqual(["open", "frame", "bad-frame", "frame"]);

      const cancelled = client.send(open);
      await client.next("headers", { id: cancelled });
      client.send({ cmd: "cancel", id: cancelled });
      expect(await servers[2].ended()).toEqual({ by: "peer" });
      expect(servers[2].count("half-close")).toBe(0);
      await listening.close();
    });

    it("learns of a server that stops, and a killed client is a lost connection", async () => {
      const server = new StreamRecorder();
      const listening = await listen({ stream: () => server });
      await using client = await startRawGrpc(generation);
      client.send({ cmd: "open", address: listening.address });
      await server.opened();
      await client.kill();
      expect((await server.ended()).by).toBe("connection-lost");
      await listening.close();
      await using other = await startRawGrpc(generation);
      const id = other.send({ cmd: "unary", address: listening.address, method: "Echo", hex: "00" });
      expect(await other.next("unary", { id })).toMatchObject({ code: "UNAVAILABLE" });
    });
  });

  describe.skipIf(generation.skipReason)(`our client on grpc-python's server of ${generation.title}`, () => {
    it("makes unary calls and learns statuses", async () => {
      await using server = await startRawGrpc(generation);
      const refusal = { code: "NOT_FOUND", details: "kein Agent „x“ 100%" };
      server.send({ cmd: "serve", auto: { Echo: { hex: "0102" }, Other: refusal } });
      const link = grpcDialer().dial((await server.next("serving")).address);
      expect(hex(await link.unary("Echo", Buffer.alloc(2 * MIB), { metadata: { "client-id": "c1" } }))).toBe("0102");
      const { metadata } = await server.next("call", { method: "Echo" });
      expect(metadata).toContainEqual(["client-id", "c1"]);
      await expect(link.unary("Other", Buffer.of(1))).rejects.toMatchObject({
        code: StatusCode.notFound,
        message: refusal.details,
      });
      await link.close();
    });

    it("keeps its deadline, and the server sees the call cancelled", async () => {
      await using server = await startRawGrpc(generation);
      server.send({ cmd: "serve", auto: {} });
      const link = grpcDialer().dial((await server.next("serving")).address);
      const call = link.unary("OpenChannel", Buffer.of(1), { timeoutMs: 200 });
      await expect(call).rejects.toMatchObject({ code: StatusCode.deadlineExceeded });
      expect(await server.next("callEnded")).toMatchObject({ how: "cancelled" });
      await link.close();
    });

    it("does not wait for headers that a silent server never sends, and exchanges frames of any size, compressed too", async () => {
      await using server = await startRawGrpc(generation);
      server.send({ cmd: "serve", silent: true, gzip: true });
      const link = grpcDialer().dial((await server.next("serving")).address);
      const client = new StreamRecorder();
      const stream = link.openStream("OpenChannel", client, { metadata: { "client-id": "c1" } });
      const bodies = ["01", "", "cd".repeat(2 * MIB), "02"];
      for (const body of bodies) stream.send(Buffer.from(body, "hex"));
      const { call } = await server.next("call");
      for (const body of bodies) expect((await server.next("request", { call })).hex === body).toBe(true);
      await reply(server, call, bodies);
      await client.has("frame", bodies.length);
      expect(client.frames.map(hex).every((frame, index) => frame === bodies[index])).toBe(true);
      stream.end();
      await server.next("callHalfClosed", { call });
      server.send({ cmd: "finish", call, code: "ABORTED", details: "genug" });
      expect(await client.ended()).toMatchObject({
        by: "status",
        status: { code: StatusCode.aborted, details: "genug" },
      });
      await link.close();
    });

    it("is told the end of a channel it has not half-closed, and cancels one", async () => {
      await using server = await startRawGrpc(generation);
      server.send({ cmd: "serve", silent: true });
      const link = grpcDialer().dial((await server.next("serving")).address);
      const first = new StreamRecorder();
      link.openStream("OpenChannel", first);
      server.send({ cmd: "finish", call: (await server.next("call")).call });
      expect(await first.ended()).toMatchObject({ by: "status", status: { code: StatusCode.ok, details: "" } });
      const second = new StreamRecorder();
      const stream = link.openStream("OpenChannel", second);
      const { call } = await server.next("call");
      // Only once its handler has sent something: grpc-python forgets a cancellation that meets it sending its headers.
      await reply(server, call, ["01"]);
      await second.has("frame");
      stream.cancel();
      expect(await server.next("callEnded", { call })).toMatchObject({ how: "cancelled" });
      expect(await second.ended()).toEqual({ by: "cancelled" });
      await link.close();
    });

    it("learns at once that the server was killed, and cannot connect again", async () => {
      await using server = await startRawGrpc(generation);
      server.send({ cmd: "serve" });
      const { address } = await server.next("serving");
      const link = grpcDialer().dial(address);
      const client = new StreamRecorder();
      link.openStream("OpenChannel", client);
      await server.next("call");
      await server.kill();
      expect((await client.ended()).by).toBe("connection-lost");
      expect(await link.closed).toContain(address);
      await expect(grpcDialer().dial(address).ready()).rejects.toMatchObject({ code: StatusCode.unavailable });
    });
  });
}
