import { expect, test } from "vitest";
import { AgentId } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { next, requestFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";
import { openStage, pass } from "../../support/worker/stage.ts";

// The stop rejects all calls just before the handler makes this one.
test("a call that a handler makes when the stop gives it up is refused, and does not wait for ever", async () => {
  await using host = await new ScriptedHost().listen();
  const [worker, channel] = await host.worker({ drainTimeoutMs: 20 });
  const outcome = new Gate<unknown>();
  const running = new Gate();
  worker.addMessageSerializer(MyMessage);
  const target = new AgentId("b", "k");
  const message = MyMessage({ content: "q" });
  await worker.registerFactory(
    "a",
    () =>
      new FunctionAgent(async (_message, _context, agent) => {
        running.open();
        await agent.runtime.sendMessage(message, target).catch(() => undefined);
        await agent.runtime.sendMessage(message, target).catch((error) => outcome.open(error));
      }),
  );
  channel.send(requestFrame("a/k"));
  await running.opened;
  await next(channel, "request");
  await worker.stop();
  expect(await outcome.opened).toMatchObject({ code: "shutting-down" });
  expect(worker.pendingCallsCount).toBe(0);
});

// The worker can end neither, and the process must still end.
test.each(["a factory", "an agent's close"])(
  "%s that never ends does not keep the worker from stopping",
  async (what) => {
    await using stage = await openStage({ drainTimeoutMs: 20 });
    const { host, worker, clock } = stage;
    const never = new Promise<never>(() => {});
    const made = new Gate();
    const agent = Object.assign(new FunctionAgent(), { close: () => never });
    worker.addMessageSerializer(MyMessage);
    await worker.registerFactory("a", () => {
      made.open();
      return what === "a factory" ? never : agent;
    });
    await worker.start();
    (await host.channels.take()).send(requestFrame("a/k"));
    await made.opened;
    await pass(clock, worker.stop());
    expect(host.logger.texts("error").join()).toContain("had not ended when the worker stopped");
  },
);
