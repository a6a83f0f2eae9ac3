import { connect } from "node:http2";
import { afterEach, expect, it, vi } from "vitest";
import { testService } from "../../../src/testing/contracts/link/test-service.ts";
import { StreamRecorder } from "../../../src/testing/contracts/link.ts";
import { startFaultProxy } from "../../../src/testing/index.ts";
import { grpcListener } from "../../../src/transport/index.ts";

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  vi.useRealTimers();
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A listener with a connection that takes nothing any more, and far more written to it than its buffers hold. */
async function stuck() {
  const server = new StreamRecorder();
  const service = testService({ stream: () => server });
  const listening = await grpcListener({ pingIntervalMs: 0 }).listen("127.0.0.1:0", [service]);
  const proxy = await startFaultProxy({ target: listening.address });
  cleanUps.push(() => proxy.close());
  const widest = 2 ** 31 - 1;
  const client = connect(`http://${proxy.address}`, { settings: { initialWindowSize: widest } });
  client.on("error", () => undefined);
  client.on("connect", () => client.setLocalWindowSize(widest));
  cleanUps.push(() => client.destroy());
  const headers = { ":method": "POST", ":path": "/agents.AgentRpc/OpenChannel", "content-type": "application/grpc" };
  const request = client.request(headers, { endStream: false });
  request.on("error", () => undefined);
  const stream = await server.opened();
  await new Promise<void>((resolve) => request.once("response", () => resolve()));
  proxy.apply({ kind: "stall" });
  for (let count = 0; count < 64; count += 1) stream.send(new Uint8Array(1024 * 1024));
  for (let [before, turns] = [0, 0]; turns < 200; turns += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    if (stream.queuedBytes !== before) turns = 0;
    before = stream.queuedBytes;
  }
  expect(stream.queuedBytes).toBeGreaterThan(0);
  return { listening };
}

it.each([0, 1_000, 10_000])(
  "a listener closes within its %i ms though a connection takes nothing of what is on its way to it",
  async (graceMs) => {
    const { listening } = await stuck();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const closed = listening.close(graceMs);
    // Node makes a timer of 0 ms one of 1 ms.
    vi.advanceTimersByTime(Math.max(1, graceMs));
    await closed;
  },
);

it("a listener that closes is told to hurry, and hurries", async () => {
  const { listening } = await stuck();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const closed = listening.close(600_000);
  void listening.close(0);
  vi.advanceTimersByTime(1);
  await closed;
});
