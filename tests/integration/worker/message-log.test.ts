import { describe, expect, test } from "vitest";
import { AgentId, type MessageLogRecord, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { eventFrame, jsonPayload, next, requestFrame, responseFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";

const message = MyMessage({ content: "q" });

describe("the message log of a worker", () => {
  test("records each send and delivery, and failures, with payloads only on request", async () => {
    await using host = await new ScriptedHost().listen();
    const told: MessageLogRecord[] = [];
    const failed = new Gate();
    const [worker, channel] = await host.worker({
      messageLog: {
        withPayloads: true,
        emit: (event) => {
          told.push(event);
          if (event.type === "MessageHandlerException") failed.open();
        },
      },
    });
    worker.addMessageSerializer(MyMessage);
    await worker.registerFactory(
      "a",
      () =>
        new FunctionAgent((_message, context) => {
          if (context.topicId !== undefined) throw new Error("boom");
        }),
    );
    await worker.addSubscription(new TypeSubscription("t", "a"));

    const call = worker.sendMessage(message, new AgentId("b", "k"), { sender: new AgentId("a", "s") });
    const { requestId } = await next(channel, "request");
    channel.send(responseFrame(requestId, { payload: jsonPayload("NoneType", null) }));
    await call;
    await worker.publishMessage(message, new TopicId("t", "k"));
    await next(channel, "event");
    channel.send(eventFrame("t/k"));
    await failed.opened;
    channel.send(requestFrame("a/k"));
    await next(channel, "response");

    const lines = told.map((event) =>
      event.type === "Message" ? `${event.kind} ${event.delivery_stage} ${event.sender}>${event.receiver}` : event.type,
    );
    expect(lines).toEqual([
      "MessageKind.DIRECT DeliveryStage.SEND a/s>b/k",
      "MessageKind.RESPOND DeliveryStage.DELIVER b/k>a/s",
      "MessageKind.PUBLISH DeliveryStage.SEND null>t/k",
      "MessageKind.PUBLISH DeliveryStage.DELIVER null>null",
      "MessageHandlerException",
      "MessageKind.DIRECT DeliveryStage.DELIVER null>a/k",
      "MessageKind.RESPOND DeliveryStage.SEND a/k>null",
    ]);
    expect(told[0]).toMatchObject({ payload: '{"content":"q"}' });
  });
});
