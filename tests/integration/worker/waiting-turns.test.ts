import { expect, test } from "vitest";
import { TypeSubscription } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { eventFrame, requestFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { openStage, settled } from "../../support/worker/stage.ts";

const note1000 = { note: "x".repeat(1_000) };
const calls = (id: string) => requestFrame("a/k", { requestId: id, metadata: note1000 });
const events = (id: string) => eventFrame("t/k", { id, attributes: note1000 });

test.each([
  ["calls", calls],
  ["events", events],
])(
  "a worker holds its host when %s with long metadata wait for their turn at a sequential agent",
  async (_what, frame) => {
    const limits = { maxConcurrentHandlers: 2, maxParkedMessages: 1_000, maxParkedBytes: 4_000 };
    await using stage = await openStage(limits, { windowBytes: 1_000 });
    const { worker, host } = stage;
    const begun: Gate[] = [];
    worker.addMessageSerializer(MyMessage);
    const handle = async () => {
      const gate = new Gate();
      begun.push(gate);
      await gate.opened;
    };
    await worker.registerFactory("a", () => new FunctionAgent(handle), { concurrency: "sequential" });
    await worker.addSubscription(new TypeSubscription("t", "a"));
    await worker.start();
    const channel = await host.channels.take();
    for (let id = 0; id < 30; id += 1) channel.send(frame(String(id)));
    await settled();
    expect(worker.handlers.running).toBe(1);
    expect(worker.handlers.parked).toBeLessThanOrEqual(4);
    let ended = 0;
    for (; begun.length > 0; ended += 1) {
      begun.shift()?.open();
      await settled();
    }
    expect(ended).toBe(30);
  },
);
