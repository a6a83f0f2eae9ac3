import { AgentId, ClosureAgent, defineMessage, SingleThreadedAgentRuntime } from "troupe";
import { ManualClock } from "troupe/testing";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { RecordingLogger } from "../../../support/recording-logger.ts";

const Ask = defineMessage("Ask", z.object({}));
const echo = new AgentId("echo", "k");

async function open() {
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const runtime = new SingleThreadedAgentRuntime({ clock, logger });
  await ClosureAgent.registerClosure(runtime, "echo", () => undefined, { types: Ask });
  const warnings = () => logger.lines.filter(({ level }) => level === "warn").map(({ text }) => text);
  return { clock, runtime, warnings };
}

describe("a runtime that was not started", () => {
  test("says once, a second after a call, that start() is missing", async () => {
    const { clock, runtime, warnings } = await open();
    const calls = [runtime.sendMessage(Ask({}), echo), runtime.sendMessage(Ask({}), echo)];
    clock.advance(999);
    expect(warnings()).toEqual([]);
    clock.advance(1);
    expect(warnings()).toEqual([expect.stringContaining("call start(), or step with processNext().")]);
    calls.push(runtime.sendMessage(Ask({}), echo));
    clock.advance(60_000);
    expect(warnings()).toHaveLength(1);
    await runtime.start();
    await Promise.all(calls);
    await runtime.close();
  });

  test("says so in the error of a call whose time is up", async () => {
    const { clock, runtime } = await open();
    const call = runtime.sendMessage(Ask({}), echo, { timeoutMs: 500 });
    clock.advance(500);
    await expect(call).rejects.toMatchObject({
      code: "timed-out",
      message: expect.stringContaining("The runtime is not started: call start()"),
    });
  });

  test.each([
    ["is started within the second", (runtime: SingleThreadedAgentRuntime) => runtime.start()],
    ["is stepped by hand", (runtime: SingleThreadedAgentRuntime) => runtime.processNext()],
  ])("warns of nothing when it %s", async (_what, go) => {
    const { clock, runtime, warnings } = await open();
    const call = runtime.sendMessage(Ask({}), echo);
    await go(runtime);
    clock.advance(10_000);
    expect(warnings()).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
    await runtime.close();
    await call.catch(() => undefined);
  });
});
