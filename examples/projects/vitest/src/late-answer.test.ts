import { AgentId, defineMessage, handlerTable, RoutedAgent, TimedOutError } from "troupe";
import { ManualClock, startTestHost } from "troupe/testing";
import { WorkerRuntime } from "troupe/worker";
import { expect, test } from "vitest";
import { z } from "zod";

const Ask = defineMessage("Ask", z.object({ question: z.string() }));

test("a caller gives up after five seconds, which take no time here", async () => {
  const clock = new ManualClock();
  await using host = await startTestHost({ clock });
  await using worker = new WorkerRuntime({ ...host, clock });
  await worker.start();
  let isAsked = () => {};
  const asked = new Promise<void>((resolve) => {
    isAsked = resolve;
  });
  class Silent extends RoutedAgent {
    static override readonly handlers = handlerTable<Silent>().rpc(Ask, (_ask, { signal }) => {
      isAsked();
      return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
  }
  await Silent.register(worker, "silent", () => new Silent("does not answer"));

  const call = worker.sendMessage(Ask({ question: "why?" }), new AgentId("silent", "1"), { timeoutMs: 5_000 });
  const outcome = expect(call).rejects.toThrow(TimedOutError);
  await asked;
  clock.advance(5_000);
  await outcome;
});
