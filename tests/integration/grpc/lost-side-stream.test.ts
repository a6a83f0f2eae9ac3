import { expect, test } from "vitest";
import { AgentId } from "../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "../../../src/grpc/index.ts";
import { signals } from "../../../src/protocol/internal.ts";
import { Gate } from "../../support/gate.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { StreamProxy } from "../../support/stream-proxy.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";

async function sideStreamOpened(proxy: StreamProxy): Promise<void> {
  while ((await proxy.opened.take()) !== signals.path);
}

test("a saturated worker whose side stream alone is cut opens it again, and hears that a call was given up", async () => {
  const opened = new Gate<void>();
  let openings = 0;
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
    observer: (what) => {
      if (what.at !== "session" || what.channel !== "side" || what.what !== "opened") return;
      openings += 1;
      if (openings === 3) opened.open();
    },
  });
  await host.start();
  await using proxy = await new StreamProxy(host.address).listen();
  const limits = { maxConcurrentHandlers: 1, maxParkedMessages: 0 };
  await using worker = new GrpcWorkerAgentRuntime(proxy.address, { ...limits, logger: new RecordingLogger() });
  worker.addMessageSerializer(MyMessage);
  const begun = new Gate<AbortSignal>();
  await worker.registerFactory(
    "a",
    () =>
      new FunctionAgent((_message, { signal }) => {
        begun.open(signal);
        return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      }),
  );
  await worker.start();
  for (let cuts = 0; cuts < 2; cuts += 1) {
    await sideStreamOpened(proxy);
    proxy.cut(signals.path);
  }
  await sideStreamOpened(proxy);
  await opened.opened;
  await using caller = new GrpcWorkerAgentRuntime(host.address, { logger: new RecordingLogger() });
  caller.addMessageSerializer(MyMessage);
  await caller.start();
  const abort = new AbortController();
  const call = caller.sendMessage(MyMessage({ content: "q" }), new AgentId("a", "k"), { signal: abort.signal });
  const outcome = call.catch((error: unknown) => error);
  const signal = await begun.opened;
  // The only slot is taken, so that the worker does not read its data channel.
  const others = ["1", "2"].map((content) => caller.sendMessage(MyMessage({ content }), new AgentId("a", "k")));
  for (const other of others) other.catch(() => undefined);
  abort.abort();
  await new Promise<void>((resolve) =>
    signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve()),
  );
  expect(await outcome).toMatchObject({ code: "cancelled" });
  expect(signal.reason).toMatchObject({ code: "cancelled" });
  expect(worker.counters().reconnections).toBe(0);
});
