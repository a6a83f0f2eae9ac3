import { createServer, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "../../../src/grpc/index.ts";
import { startFaultProxy } from "../../../src/testing/index.ts";
import { type GrpcDialerOptions, grpcDialer, RpcError, StatusCode } from "../../../src/transport/index.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const quick = { initialDelayMs: 1, maxDelayMs: 1 };

/** A host that admits only callers whose token is the one that is valid now. */
async function startHost(validToken: () => string) {
  const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
    authorize: ({ metadata }) =>
      metadata.authorization === validToken() ? undefined : { code: StatusCode.unauthenticated, details: "Old token." },
  });
  await host.start();
  return host;
}

function workerAt(address: string, channelOptions: GrpcDialerOptions, startWaits = false) {
  return new GrpcWorkerAgentRuntime(address, {
    ...{ channelOptions, logger: new RecordingLogger(), reconnect: { ...quick, startWaits } },
  });
}

async function becomes(worker: GrpcWorkerAgentRuntime, wanted: string): Promise<void> {
  for await (const { at } of worker.status()) if (at === wanted) return;
}

describe("metadata as a function", () => {
  test.each(["sync", "async"])("that is %s gives each connection the token of its time", async (kind) => {
    let token = "token-1";
    await using host = await startHost(() => token);
    await using network = await startFaultProxy({ target: host.address });
    const asked: string[] = [];
    const metadata: GrpcDialerOptions["metadata"] = ({ address }) => {
      asked.push(address);
      return kind === "sync" ? { authorization: token } : Promise.resolve({ authorization: token });
    };
    const worker = workerAt(network.address, { metadata });
    await worker.start();
    expect(asked).toEqual([network.address]);
    token = "token-2";
    network.apply({ kind: "reset" });
    await becomes(worker, "waiting");
    await becomes(worker, "connected");
    expect(asked).toEqual([network.address, network.address]);
    expect(host.counters().deniedCalls).toBe(0);
    await worker.stop();
  });

  test("that fails is called again, until the worker is connected", async () => {
    await using host = await startHost(() => "good");
    let calls = 0;
    const answers = [
      () => Promise.reject(new Error("the token service is away")),
      () => "no object",
      () => ({ "not a key": "x" }),
    ];
    // A program in JavaScript may return anything.
    const metadata = (() => answers[calls++]?.() ?? { authorization: "good" }) as GrpcDialerOptions["metadata"];
    const worker = workerAt(host.address, { metadata }, true);
    const reasons: string[] = [];
    const watching = (async () => {
      for await (const status of worker.status()) if (status.at === "waiting") reasons.push(status.reason);
    })();
    await worker.start();
    await worker.stop();
    await watching;
    expect(calls).toBe(4);
    expect(reasons.join("\n")).toContain("The option metadata failed for the connection to");
    expect(reasons.join("\n")).toContain("the token service is away");
    expect(reasons.join("\n")).toContain("Return an object.");
    expect(reasons.join("\n")).toContain('"not a key" cannot be a metadata key');
  });

  test("that fails lets the start of a worker reject with its reason, without the address of the program's secrets", async () => {
    await using host = await startHost(() => "good");
    const worker = workerAt(host.address, {
      metadata: () => {
        throw new Error("no token file");
      },
    });
    await expect(worker.start()).rejects.toMatchObject({
      code: "disconnected",
      message: expect.stringMatching(/The option metadata failed .*: no token file/),
    });
  });

  test("that never answers fails the attempt within connectTimeoutMs, and is told that nobody waits", async () => {
    await using host = await startHost(() => "good");
    let onEnd = () => {};
    const told = new Promise<void>((resolve) => {
      onEnd = resolve;
    });
    const link = grpcDialer({
      connectTimeoutMs: 50,
      metadata: ({ signal }) => {
        signal.addEventListener("abort", onEnd);
        return new Promise(() => {});
      },
    }).dial(host.address);
    await expect(link.ready()).rejects.toThrow(/the option metadata gave no answer within 50 ms/);
    await told;
    expect(await link.closed).toContain("gave no answer");
  });

  test("is waited for by a unary call, and refuses a stream that is opened before it has answered", async () => {
    await using host = await startHost(() => "good");
    const link = grpcDialer({ metadata: async () => ({ authorization: "good" }) }).dial(host.address);
    const ended = new Promise((resolve) => {
      link.openStream("OpenChannel", {
        ...{ onFrame() {}, onHalfClose() {}, onBadFrame() {}, onDrain() {}, onEnd: resolve },
      });
    });
    expect(await ended).toMatchObject({ by: "status", status: { details: expect.stringContaining("Await ready()") } });
    const error = await link.unary("NoSuchMethod", new Uint8Array()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({ code: StatusCode.unimplemented });
    await link.close();
  });

  test("answers after the link was closed: nothing is connected", async () => {
    const accepted: Socket[] = [];
    const server = createServer((socket) => accepted.push(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new Error("no port");
    let answer = (_metadata: object) => {};
    const answered = new Promise<Record<string, string>>((resolve) => {
      answer = () => resolve({});
    });
    const link = grpcDialer({ metadata: () => answered }).dial(`127.0.0.1:${bound.port}`);
    const ready = link.ready();
    await link.close();
    answer({});
    await expect(ready).rejects.toThrow("closed by this side");
    await new Promise((resolve) => setImmediate(resolve));
    expect(accepted).toEqual([]);
    await new Promise((resolve) => server.close(resolve));
  });
});
