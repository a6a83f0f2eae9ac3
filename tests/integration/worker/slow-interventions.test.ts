import { expect, test } from "vitest";
import { AgentId, TopicId } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { next } from "../../support/worker/frames.ts";
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
