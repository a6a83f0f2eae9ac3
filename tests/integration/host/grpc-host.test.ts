import { connect } from "node:http2";
import { constants } from "node:os";
import { describe, expect, it } from "vitest";
import { GrpcWorkerAgentRuntimeHost } from "../../../src/grpc/index.ts";
import { grpcDialer, StatusCode } from "../../../src/transport/index.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { testCertificate, testKey } from "../../support/test-certificate.ts";

const anyPort = "127.0.0.1:0";

function response(requestId: string) {
  return { kind: "response", requestId, payload: undefined, error: "", metadata: {} } as const;
}

describe("GrpcWorkerAgentRuntimeHost", () => {
  it("gives its real port once it has started", async () => {
    await using host = new GrpcWorkerAgentRuntimeHost(anyPort);
    expect(host.address).toBe(anyPort);
    await host.start();
    expect(host.address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
  });

  it("can't be started twice", async () => {
    await using host = new GrpcWorkerAgentRuntimeHost(anyPort);
    await host.start();
    await expect(host.start()).rejects.toThrow("Host runtime is already started.");
  });

  it("says what to do about an address in use, and can be started once it is free", async () => {
    const first = new GrpcWorkerAgentRuntimeHost(anyPort);
    await first.start();
    await using second = new GrpcWorkerAgentRuntimeHost(first.address);
    await expect(second.start()).rejects.toThrow(/in use/);
    await first.stop();
    await second.start();
    expect(second.address).toBe(first.address);
  });

  it("may be stopped before it started, while it starts, and twice", async () => {
    await new GrpcWorkerAgentRuntimeHost(anyPort).stop();
    const host = new GrpcWorkerAgentRuntimeHost(anyPort);
    const started = host.start();
    await Promise.all([host.stop(), host.stop(), host.closed]);
    await started;
    await expect(host.start()).rejects.toThrow("Host runtime is stopped; make a new one.");
  });

  it("stops when the process is told to end", async () => {
    const host = new GrpcWorkerAgentRuntimeHost(anyPort);
    await host.start();
    const stopped = host.stopWhenSignal({ graceMs: 1_000, signals: ["SIGUSR2"] });
    process.kill(process.pid, "SIGUSR2");
    await stopped;
    await host.closed;
    expect(process.listenerCount("SIGUSR2")).toBe(0);
  });

  it("ends its grace at once at a second process signal", async () => {
    const host = new GrpcWorkerAgentRuntimeHost(anyPort);
    await host.start();
    const link = grpcDialer().dial(host.address);
    const worker = await new RawWorker(link, "W", { isAnnounced: true }).join();
    const exits: number[] = [];
    const exit = (code: number) => exits.push(code);
    const stopped = host.stopWhenSignal({ signals: ["SIGUSR2"], exit, graceMs: 600_000 });
    process.kill(process.pid, "SIGUSR2");
    expect((await worker.next()).kind).toBe("leaving");
    process.kill(process.pid, "SIGUSR2");
    await stopped;
    expect(exits).toEqual([128 + constants.signals.SIGUSR2]);
    expect(process.listenerCount("SIGUSR2")).toBe(0);
    await link.close();
  });

  it("does not start when the signal of its start has aborted", async () => {
    const host = new GrpcWorkerAgentRuntimeHost(anyPort);
    await expect(host.start({ signal: AbortSignal.abort("enough") })).rejects.toBe("enough");
    const giveUp = new AbortController();
    const started = expect(host.start({ signal: giveUp.signal })).rejects.toBe("too late");
    giveUp.abort("too late");
    await started;
    await host.closed;
  });

  it("ends within its grace even if a worker does not let go", async () => {
    const host = new GrpcWorkerAgentRuntimeHost(anyPort);
    await host.start();
    const link = grpcDialer().dial(host.address);
    const worker = await new RawWorker(link, "W").join();
    await host.stop(0.1);
    await worker.ended;
    await link.close();
  });

  it("sends response headers before any message [§8.11]", async () => {
    await using host = new GrpcWorkerAgentRuntimeHost(anyPort);
    await host.start();
    const session = connect(`http://${host.address}`);
    const stream = session.request(
      {
        ":method": "POST",
        ":path": "/agents.AgentRpc/OpenChannel",
        "content-type": "application/grpc",
        te: "trailers",
        "client-id": "W",
      },
      { endStream: false },
    );
    const headers = await new Promise<{ readonly ":status"?: number }>((resolve) => stream.once("response", resolve));
    expect(headers).toMatchObject({ ":status": 200, "content-type": expect.stringMatching(/^application\/grpc/) });
    expect(headers).not.toHaveProperty("grpc-status");
    await new Promise<void>((resolve) => {
      stream.once("close", resolve);
      stream.close();
    });
    session.destroy();
  });

  it("asks workers for a certificate of its own authority over TLS", async () => {
    const tls = { key: testKey, cert: testCertificate, ca: testCertificate };
    await using host = new GrpcWorkerAgentRuntimeHost(anyPort, {
      channelOptions: { tls: { ...tls, requestCert: true, rejectUnauthorized: true } },
    });
    await host.start();
    const known = grpcDialer({ tls }).dial(host.address);
    await (await new RawWorker(known, "known").join()).register("echo");
    const stranger = grpcDialer({ tls: { ca: testCertificate } }).dial(host.address);
    await expect(new RawWorker(stranger, "stranger").register("echo")).rejects.toMatchObject({
      code: StatusCode.unavailable,
    });
    const plain = grpcDialer().dial(host.address);
    await expect(new RawWorker(plain, "plain").register("echo")).rejects.toMatchObject({
      code: StatusCode.unavailable,
    });
    await Promise.all([known, stranger, plain].map((link) => link.close()));
  });

  it("takes the last of several client ids", async () => {
    await using host = new GrpcWorkerAgentRuntimeHost(anyPort);
    await host.start();
    const session = connect(`http://${host.address}`);
    const stream = session.request({
      ":method": "POST",
      ":path": "/agents.AgentRpc/RegisterAgent",
      "content-type": "application/grpc",
      te: "trailers",
      "client-id": ["first", "last"],
    });
    stream.resume();
    // One uncompressed message: a RegisterAgentTypeRequest for the type "echo".
    stream.end(Buffer.from("00000000060a046563686f", "hex"));
    await new Promise<void>((resolve) => stream.once("close", resolve));
    session.destroy();
    const link = grpcDialer().dial(host.address);
    await expect(new RawWorker(link, "other").register("echo")).rejects.toThrow("with client last.");
    await link.close();
  });

  it("tells a caller when the host itself may not send what the caller wants sent", async () => {
    await using host = new GrpcWorkerAgentRuntimeHost(anyPort, { channelOptions: { maxSendMessageBytes: 1_000 } });
    await host.start();
    const link = grpcDialer().dial(host.address);
    const worker = await new RawWorker(link, "W").join();
    await worker.register("echo");
    const data = new Uint8Array(2_000);
    worker.request("1", "echo/k", { payload: { typeName: "B", contentType: "application/json", data } });
    expect((await worker.nextResponse()).error).toMatch(/exceeds what the worker of agent type echo can receive\.$/);
    await link.close();
  });

  it("takes messages far beyond 4 MiB; one beyond its own limit is an error for its caller, and the stream lives", async () => {
    await using host = new GrpcWorkerAgentRuntimeHost(anyPort, {
      channelOptions: { maxReceiveMessageBytes: 6_000_000 },
    });
    await host.start();
    const link = grpcDialer().dial(host.address);
    const worker = await new RawWorker(link, "W").join();
    await worker.register("echo");
    const payload = (bytes: number) => ({
      typeName: "B",
      contentType: "application/json",
      data: new Uint8Array(bytes),
    });
    worker.request("1", "echo/k", { payload: payload(5_000_000) });
    expect((await worker.nextRequest()).payload?.data).toHaveLength(5_000_000);
    worker.request("2", "echo/k", { payload: payload(7_000_000) });
    const refusal = await worker.nextResponse();
    expect(refusal.requestId).toBe("2");
    expect(refusal.error).toMatch(/^The request can't be read: A message of \d+ bytes is over the receiving limit/);
    worker.request("3", "echo/k");
    worker.send({ ...response((await worker.nextRequest()).requestId), payload: payload(7_000_000) });
    const failure = await worker.nextResponse();
    expect(failure.requestId).toBe("3");
    expect(failure.error).toMatch(/^The answer of agent type echo can't be read: A message of \d+ bytes is over/);
    expect(await worker.settled()).toEqual([]);
    // Call 1 was never answered; 2 and 3 have their outcome.
    expect(host.counters()).toMatchObject({ badFrames: 2, pendingCalls: 1 });
    // A request of which the host could read only the beginning is a call, too: the books balance.
    const { calls, answers, failedCalls, pendingCalls } = host.counters();
    expect(answers + failedCalls + pendingCalls).toBe(calls);
    await link.close();
  });
});
