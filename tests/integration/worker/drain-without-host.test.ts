import { describe, expect, test } from "vitest";
import { AgentId, TopicId } from "../../../src/core/index.ts";
import type { WorkerRuntimeOptions } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { next, requestFrame, responseFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage, Reply } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";

const message = MyMessage({ content: "q" });

/** A worker that drains with a handler that runs `body` when it is let go, and that has just lost its host. */
async function losing(
  host: ScriptedHost,
  body: (agent: FunctionAgent) => Promise<unknown>,
  options: Partial<WorkerRuntimeOptions> = {},
) {
  const [worker, channel] = await host.worker({ drainTimeoutMs: 600_000, ...options });
  worker.addMessageSerializer([MyMessage, Reply]);
  const [running, release] = [new Gate(), new Gate()];
  const handle = async (_message: unknown, _context: unknown, agent: FunctionAgent) => {
    running.open();
    await release.opened;
    return body(agent);
  };
  await worker.registerFactory("a", () => new FunctionAgent(handle));
  channel.send(requestFrame("a/k"));
  await running.opened;
  const stopped = worker.stop();
  await host.kill();
  await channel.ended;
  return { worker, release, stopped };
}

describe("a worker that drains and has lost its host", () => {
  test("sends what a handler publishes and calls later, when the host is back", async () => {
    await using host = await new ScriptedHost().listen();
    const body = async ({ id, runtime }: FunctionAgent) => {
      await runtime.publishMessage(message, new TopicId("t", "s"), { sender: id });
      return runtime.sendMessage(message, new AgentId("b", "k"), { sender: id });
    };
    const reconnect = { initialDelayMs: 1, maxDelayMs: 1 };
    const { worker, release, stopped } = await losing(host, body, { reconnect });
    await host.revive();
    release.open();
    const channel = await host.channels.take();
    await next(channel, "event");
    channel.send(responseFrame((await next(channel, "request")).requestId));
    await stopped;
    expect(worker.counters().lostEvents).toBe(0);
  });

  test.each([
    ["it does not reconnect", false],
    ["it has given up its search", { initialDelayMs: 1, maxDelayMs: 1, maxAttempts: 2 }],
  ] as const)(
    "ends at once when its handlers have ended and %s, and counts what it could not send",
    async (_why, reconnect) => {
      await using host = await new ScriptedHost().listen();
      const body = ({ runtime }: FunctionAgent) => runtime.publishMessage(message, new TopicId("t", "s"));
      const { worker, release, stopped } = await losing(host, body, { reconnect });
      release.open();
      await stopped;
      expect(worker.counters().lostEvents).toBe(1);
    },
  );
});
