import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { AgentId, TopicId } from "../../../src/core/index.ts";
import type { Tracing } from "../../../src/core/internal.ts";
import { FakeDialer, openFakeStage } from "../../support/worker/fake-dialer.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { settled, until } from "../../support/worker/stage.ts";

const topic = new TopicId("t", "s");
const long = (length: number) => MyMessage({ content: "x".repeat(length) });

/** Sends while a long event waits for the headers of a stock host, so that the queue empties within the next `post`. */
async function sendAtOnce(
  send: (signal: AbortSignal, worker: Awaited<ReturnType<typeof openFakeStage>>["worker"]) => Promise<unknown>,
) {
  const dialer = new FakeDialer({ headers: undefined });
  await using stage = await openFakeStage(dialer, { maxOutboxBytes: 3_000, stockHostMaxBytes: 2_000 });
  const { worker } = stage;
  await worker.publishMessage(long(2_500), topic);
  expect(worker.queuedCount).toBe(1);
  const calling = new AbortController();
  // The frame shows that the host is a stock one: the long event fails within the next `post`.
  let onSent = () => {};
  const sent = new Promise<void>((resolve) => {
    onSent = resolve;
  });
  const agent = new FunctionAgent(() => void send(calling.signal, worker).then(onSent, onSent));
  await worker.registerFactory("a", () => agent);
  await worker.tryGetUnderlyingAgentInstance(new AgentId("a", "k"));
  const payload = {
    typeName: "MyMessage",
    contentType: "application/json",
    data: new TextEncoder().encode('{"content":""}'),
  };
  dialer.link(1).say({
    ...{ kind: "request", requestId: "1", source: undefined, metadata: {} },
    target: { type: "a", key: "k" },
    payload,
  });
  await sent;
  expect(getEventListeners(calling.signal, "abort")).toEqual([]);
}

test("an event that leaves within the call to publish leaves no listener on the signal", async () => {
  await sendAtOnce((signal, worker) => worker.publishMessage(long(500), topic, { signal }));
});

test("a call that fails while it is sent leaves no listener on the signal", async () => {
  await sendAtOnce((signal, worker) =>
    worker.sendMessage(long(2_200), new AgentId("b", "k"), { signal, timeoutMs: 600_000 }),
  );
});

test("a call whose span fails is taken back from the queue", async () => {
  const tracing: Tracing = {
    span: (operation, _details, body) => {
      const result = body();
      if (operation === "send") throw new Error("The exporter failed.");
      return result;
    },
    inject: () => ({}),
  };
  const dialer = new FakeDialer();
  await using stage = await openFakeStage(dialer, { tracing });
  const { worker, clock } = stage;
  dialer.link(1).end({ by: "connection-lost", reason: "The cable is out." });
  await until(worker, "waiting");
  const sent = worker.sendMessage(long(1), new AgentId("b", "k"));
  await expect(sent).rejects.toThrow("The exporter failed.");
  expect(worker.queuedCount).toBe(0);
  clock.advance(60_000);
  await settled();
});
