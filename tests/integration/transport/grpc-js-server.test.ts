import {
  status as GrpcStatus,
  Metadata,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import { StreamRecorder } from "../../../src/testing/contracts/link.ts";
import { type GrpcDialerOptions, grpcDialer, type Link, StatusCode } from "../../../src/transport/index.ts";
import { startGrpcJsServer } from "./grpc-js-peer.ts";

const MIB = 1024 * 1024;
const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

type Unary = ServerUnaryCall<Buffer, Buffer>;
type Answer = sendUnaryData<Buffer>;
type Duplex = ServerDuplexStream<Buffer, Buffer>;

interface Handlers {
  readonly Echo?: (call: Unary, answer: Answer) => void;
  readonly OpenChannel?: (call: Duplex) => void;
}

async function connect(handlers: Handlers, options: GrpcDialerOptions = {}): Promise<Link> {
  const server = await startGrpcJsServer({
    Echo: (call: Unary, answer: Answer) => answer(null, call.request),
    OpenChannel: (call: Duplex) => {
      call.on("data", (message: Buffer) => call.write(message));
      call.on("end", () => call.end());
    },
    ...handlers,
  });
  const link = grpcDialer(options).dial(server.address);
  cleanUps.push(server.stop, () => link.close());
  return link;
}

describe("our client on a grpc-js server", () => {
  it("makes unary calls with metadata, small and large", async () => {
    const seen: Metadata[] = [];
    const link = await connect({
      Echo(call, answer) {
        seen.push(call.metadata);
        answer(null, call.request);
      },
    });
    expect([
      ...(await link.unary("Echo", Buffer.from("hi"), { metadata: { "client-id": "c1", "x-bin": "AAEC" } })),
    ]).toEqual([...Buffer.from("hi")]);
    const large = Buffer.alloc(6 * MIB, 3);
    expect(large.equals(await link.unary("Echo", large))).toBe(true);
    expect(seen[0]?.get("client-id")).toEqual(["c1"]);
    expect(seen[0]?.get("x-bin")).toEqual([Buffer.of(0, 1, 2)]);
    expect(seen[0]?.get("user-agent")[0]).toMatch(/^grpc-troupe-js\//);
  });

  it("learns statuses with their texts", async () => {
    const link = await connect({
      Echo: (_call, answer) => answer({ code: GrpcStatus.NOT_FOUND, details: "kein Agent „x“ 100%" }),
    });
    await expect(link.unary("Echo", Buffer.of(1))).rejects.toMatchObject({
      code: StatusCode.notFound,
      message: "kein Agent „x“ 100%",
    });
    await expect(link.unary("Nope", Buffer.of(1))).rejects.toMatchObject({ code: StatusCode.unimplemented });
  });

  it("sends its deadline along and keeps it itself", async () => {
    let deadlineMs = 0;
    const link = await connect({
      Echo(call) {
        deadlineMs = Number(call.getDeadline()) - Date.now();
      },
    });
    await expect(link.unary("Echo", Buffer.of(1), { timeoutMs: 200 })).rejects.toMatchObject({
      code: StatusCode.deadlineExceeded,
    });
    expect(deadlineMs).toBeGreaterThan(0);
    expect(deadlineMs).toBeLessThanOrEqual(200);
  });

  it("cancels a call, which the server sees", async () => {
    const controller = new AbortController();
    let onCancelled: () => void = () => undefined;
    const cancelled = new Promise<void>((resolve) => {
      onCancelled = resolve;
    });
    const link = await connect({
      Echo(call) {
        call.on("cancelled", onCancelled);
        controller.abort();
      },
    });
    await expect(link.unary("Echo", Buffer.of(1), { signal: controller.signal })).rejects.toMatchObject({
      code: StatusCode.cancelled,
    });
    await cancelled;
  });

  it("opens a channel without waiting for headers, exchanges messages in order, half-closes and gets the status", async () => {
    const link = await connect({});
    const client = new StreamRecorder();
    const stream = link.openStream("OpenChannel", client);
    const sent = [3, 0, 70_000, 1, 2 * MIB, 5].map((size, index) => Buffer.alloc(size, index + 1));
    for (const message of sent) stream.send(message);
    await client.has("frame", sent.length);
    stream.end();
    expect(await client.ended()).toMatchObject({ by: "status", status: { code: StatusCode.ok } });
    expect(client.frames.map((frame, index) => sent[index]?.equals(frame))).toEqual(sent.map(() => true));
  });

  it("is told the status of a channel that the server ends early", async () => {
    const link = await connect({
      OpenChannel: (call) => call.emit("error", { code: GrpcStatus.ABORTED, details: "no more" }),
    });
    const client = new StreamRecorder();
    link.openStream("OpenChannel", client).send(Buffer.of(1));
    expect(await client.ended()).toMatchObject({
      by: "status",
      status: { code: StatusCode.aborted, details: "no more" },
    });
  });

  it("ends a channel by cancelling, which the server sees", async () => {
    let onCancelled: () => void = () => undefined;
    const cancelled = new Promise<void>((resolve) => {
      onCancelled = resolve;
    });
    const link = await connect({
      OpenChannel(call) {
        call.on("cancelled", onCancelled);
        call.write(Buffer.of(1));
      },
    });
    const client = new StreamRecorder();
    const stream = link.openStream("OpenChannel", client);
    await client.has("frame");
    stream.cancel();
    expect(await client.ended()).toEqual({ by: "cancelled" });
    await cancelled;
  });

  it("reads compressed answers, and a bomb is one bad frame on a living channel", async () => {
    const link = await connect(
      {
        OpenChannel(call) {
          const metadata = new Metadata();
          metadata.set("grpc-encoding", "gzip");
          call.sendMetadata(metadata);
          call.write(Buffer.alloc(4 * MIB));
          call.write(Buffer.from("still here"));
        },
      },
      { maxReceiveMessageBytes: MIB },
    );
    const client = new StreamRecorder();
    link.openStream("OpenChannel", client);
    await client.has("frame");
    const received = client.events.map((event) => event.on).filter((on) => on.endsWith("frame"));
    expect(received).toEqual(["bad-frame", "frame"]);
    expect(Buffer.from(client.frames[0] ?? []).toString()).toBe("still here");
  });

  it("tells a server that goes down from one that answers", async () => {
    let onOpened: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => {
      onOpened = resolve;
    });
    const server = await startGrpcJsServer({ Echo: () => undefined, OpenChannel: onOpened });
    const link = grpcDialer().dial(server.address);
    cleanUps.push(() => link.close());
    const client = new StreamRecorder();
    link.openStream("OpenChannel", client);
    await opened;
    const call = expect(link.unary("Echo", Buffer.of(1))).rejects.toBeInstanceOf(Error);
    server.stop();
    await call;
    expect(["peer", "connection-lost"]).toContain((await client.ended()).by);
    expect(await link.closed).toContain(server.address);
  });
});
