import { describe, expect, it } from "vitest";
import { GrpcWorkerAgentRuntimeHost } from "../../../src/grpc/index.ts";
import { startFaultProxy } from "../../../src/testing/index.ts";
import { grpcDialer } from "../../../src/transport/index.ts";
import { RawWorker } from "../../support/raw-worker.ts";

const channelOptions = { pingIntervalMs: 20, pingTimeoutMs: 50 };

describe("the host's keep-alive", () => {
  it("notices a worker that has vanished without a word: its types are free and its callers have their answer", async () => {
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { channelOptions });
    await host.start();
    await using proxy = await startFaultProxy({ target: host.address });
    const far = grpcDialer().dial(proxy.address);
    const vanished = await new RawWorker(far, "V").join();
    await vanished.register("a");
    const near = grpcDialer().dial(host.address);
    const caller = await new RawWorker(near, "C").join();
    caller.request("1", "a/k");
    await vanished.nextRequest();
    proxy.apply({ kind: "drop" });
    expect(await caller.nextResponse()).toMatchObject({
      requestId: "1",
      error: "Client for agent type a disconnected.",
    });
    await caller.takeOver("a");
    expect(host.counters().channels).toBe(1);
    await Promise.all([far.close(), near.close()]);
  });

  it("takes a worker for alive that reads slowly but reads", async () => {
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { channelOptions });
    await host.start();
    await using proxy = await startFaultProxy({ target: host.address });
    const link = grpcDialer().dial(proxy.address);
    const worker = await new RawWorker(link, "W").join();
    // Its answers to pings come late behind everything else, but bytes of it come all the time.
    proxy.apply({ kind: "delay", delayMs: 120, in: "to-client" });
    const near = grpcDialer().dial(host.address);
    const other = await new RawWorker(near, "N").join();
    let isDone = false;
    const answers = Array.from({ length: 500 }, () => worker.nextResponse());
    const done = Promise.all(answers).then(() => {
      isDone = true;
    });
    for (let count = 0; !isDone; count += 1) {
      worker.request(`${count}`, "nobody/k");
      await other.subscriptions();
    }
    await done;
    await near.close();
    expect(host.sessions()[0]?.clientId).toBe("W");
    await link.close();
  });
});
