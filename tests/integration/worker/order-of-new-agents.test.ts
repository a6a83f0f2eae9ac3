import { expect, test } from "vitest";
import { TypeSubscription } from "../../../src/core/index.ts";
import { encodeFrame, type Frame } from "../../../src/protocol/index.ts";
import { Gate } from "../../support/gate.ts";
import { eventFrame, jsonPayload, requestFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { openStage } from "../../support/worker/stage.ts";

const contents = Array.from({ length: 8 }, (_, nr) => `${nr}`);

const frameOf: { readonly [kind: string]: (content: string) => Frame } = {
  events: (content) => eventFrame("t/k", { id: content, payload: jsonPayload("MyMessage", { content }) }),
  calls: (content) => requestFrame("slow/k", { requestId: content, payload: jsonPayload("MyMessage", { content }) }),
};

test.each(
  ["events", "calls"].flatMap((kind) =>
    (["interleaved", "sequential"] as const).map((concurrency) => ({ kind, concurrency })),
  ),
)(
  "$kind that come while their $concurrency agent is made reach it in order, also when few handlers may run",
  async ({ kind, concurrency }) => {
    await using stage = await openStage({ maxConcurrentHandlers: 2 });
    const { worker, host } = stage;
    worker.addMessageSerializer(MyMessage);
    const handled: unknown[] = [];
    const [made, begun, all] = [new Gate(), new Gate(), new Gate()];
    const makeAgent = async () => {
      begun.open();
      await made.opened;
      return new FunctionAgent((message) => {
        handled.push(MyMessage.is(message) ? message.content : message);
        if (handled.length === contents.length) all.open();
        return MyMessage({ content: "done" });
      });
    };
    await worker.registerFactory("slow", makeAgent, { concurrency });
    await worker.start();
    await worker.addSubscription(new TypeSubscription("t", "slow"));
    const channel = await host.channels.take();
    for (const content of contents) channel.stream.send(encodeFrame((frameOf[kind] ?? eventFrame)(content)));
    await begun.opened;
    made.open();
    await all.opened;
    expect(handled).toEqual(contents);
  },
);
