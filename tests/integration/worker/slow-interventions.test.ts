import { expect, test } from "vitest";
import { AgentId, TopicId } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { next, requestFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";
import { openStage } from "../../support/worker/stage.ts";

const message = MyMessage({ content: "q" });

/** An intervention that tells when it is asked, and waits for a gate. */
function asking() {
  const asked = new Gate();
  const decision = new Gate();
  const decide = async (given: unknown) => {
    asked.open();
    await decision.opened;
    return given;
  };
  return { asked, decision, decide };
}

test("a call carries the time that an intervention has left to it", async () => {
  const { asked, decision, decide } = asking();
  await using stage = await openStage({ interventionHandlers: [{ onSend: decide }] });
  const { host, clock, worker } = stage;
  worker.addMessageSerializer(MyMessage);
  await worker.start();
  const channel = await host.channels.take();
  const call = worker.sendMessage(message, new AgentId("b", "k"), { timeoutMs: 10_000 });
  const end = expect(call).rejects.toThrow("within 10000 ms");
  await asked.opened;
  clock.advance(3_000);
  decision.open();
  expect((await next(channel, "request")).metadata.agtimeoutms).toBe("7000");
  clock.advance(7_000);
  await end;
});

test("an event that an intervention lets go while the worker stops is sent before the worker leaves", async () => {
  const { asked, decision, decide } = asking();
  await using host = await new ScriptedHost().listen();
  const [worker, channel] = await host.worker({
    interventionHandlers: [{ onPublish: decide }],
    drainTimeoutMs: 60_000,
  });
  worker.addMessageSerializer(MyMessage);
  const published = worker.publishMessage(message, new TopicId("t", "s"));
  await asked.opened;
  const stopped = worker.stop();
  decision.open();
  await next(channel, "event");
  await published;
  await stopped;
});

test("an approval that nobody gives does not hold up a stop, and its event is rejected as shutting down", async () => {
  const { asked, decide } = asking();
  await using host = await new ScriptedHost().listen();
  const [worker, channel] = await host.worker({ interventionHandlers: [{ onPublish: decide }], drainTimeoutMs: 20 });
  worker.addMessageSerializer(MyMessage);
  const end = expect(worker.publishMessage(message, new TopicId("t", "s"))).rejects.toMatchObject({
    name: "UndeliverableException",
    code: "shutting-down",
  });
  await asked.opened;
  await worker.stop();
  await end;
  expect(channel.received.rest).toEqual([]);
});

test("what a `finally` block sends after the drain is refused though an intervention never decides, and the next run does not send it", async () => {
  const { decision, decide } = asking();
  await using host = await new ScriptedHost().listen();
  const options = { interventionHandlers: [{ onSend: decide, onPublish: decide }], drainTimeoutMs: 20 };
  const [worker, channel] = await host.worker(options);
  worker.addMessageSerializer(MyMessage);
  const running = new Gate();
  const refused = new Gate<unknown[]>();
  const agent = new FunctionAgent(async (_message, { signal }): Promise<unknown> => {
    try {
      running.open();
      return await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    } finally {
      const sent = [
        worker.sendMessage(message, new AgentId("b", "k")),
        worker.publishMessage(message, new TopicId("t", "s")),
      ];
      refused.open(await Promise.all(sent.map((one) => one.catch((error: unknown) => error))));
    }
  });
  await worker.registerFactory("a", () => agent);
  channel.send(requestFrame("a/k"));
  await running.opened;
  await worker.stop();
  expect(await refused.opened).toMatchObject([{ code: "shutting-down" }, { code: "shutting-down" }]);
  expect(worker.pendingCallsCount).toBe(0);
  await worker.start();
  const again = await host.channels.take();
  decision.open();
  await worker.publishMessage(message, new TopicId("after", "s"));
  expect((await next(again, "event")).event.topicType).toBe("after");
});

test("a call whose intervention has not decided ends when the worker gives up its host", async () => {
  const { asked, decide } = asking();
  await using host = await new ScriptedHost().listen();
  const [worker] = await host.worker({ interventionHandlers: [{ onSend: decide }], reconnect: false });
  worker.addMessageSerializer(MyMessage);
  const end = expect(worker.sendMessage(message, new AgentId("b", "k"))).rejects.toMatchObject({
    name: "UndeliverableException",
    code: "disconnected",
  });
  await asked.opened;
  await host.kill();
  await end;
  expect(worker.pendingCallsCount).toBe(0);
});
