import { expect, test } from "vitest";
import { AgentId } from "../../../src/core/index.ts";
import { next, responseFrame } from "../../support/worker/frames.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";

const elsewhere = new AgentId("elsewhere", "k");

test.each([
  ["a host of Troupe's that keeps no messages", true],
  ["a stock host", false],
])("a message told while its worker changes to %s is refused, and does not leave", async (_title, isTroupe) => {
  await using host = await new ScriptedHost().listen();
  host.isTroupe = true;
  host.capabilities = ["turns", "mail"];
  const onSend = async (message: unknown) => {
    // The probe at the end passes.
    if (!host.capabilities.includes("mail")) return message;
    await host.kill();
    for await (const { at } of worker.status()) if (at !== "connected") break;
    return message;
  };
  const [worker] = await host.worker({
    interventionHandlers: [{ onSend }],
    whileDisconnected: { calls: "queue" },
    reconnect: { initialDelayMs: 10 },
  });
  worker.addMessageSerializer(MyMessage);
  const told = worker.tell(MyMessage({ content: "keep this" }), elsewhere);
  const outcome = expect(told).rejects.toMatchObject({
    code: "not-accessible",
    message: expect.stringContaining("The host of this worker keeps no messages: the told message was not sent."),
  });
  await expect.poll(() => worker.queuedCount).toBe(1);
  host.isTroupe = isTroupe;
  host.capabilities = ["turns"];
  await host.revive();
  const channel = await host.channels.take();
  await outcome;
  const probe = worker.sendMessage(MyMessage({ content: "probe" }), elsewhere);
  const call = await next(channel, "request");
  expect(call.metadata).toEqual({});
  channel.send(responseFrame(call.requestId));
  await probe;
});
