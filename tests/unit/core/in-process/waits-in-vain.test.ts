import { AgentId, BaseAgent, defineMessage, SingleThreadedAgentRuntime } from "troupe";
import { ManualClock } from "troupe/testing";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { Gate } from "../../../support/gate.ts";
import { NodeProgram } from "../../../support/node-program.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";

const Said = defineMessage("Said", z.object({ text: z.string() }));
const Say = defineMessage("Say", z.object({}), { answer: Said });
const id = new AgentId("doer", "k");

class Doer extends BaseAgent {
  readonly #handle: () => unknown;

  constructor(handle: () => unknown) {
    super("does as told");
    this.#handle = handle;
  }

  protected override onMessageImpl(): unknown {
    return this.#handle();
  }
}

function open(make: () => Doer | Promise<Doer>) {
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const runtime = new SingleThreadedAgentRuntime({ clock, logger });
  const lines = (wanted: string) => logger.lines.filter(({ level }) => level === wanted).map(({ text }) => text);
  return { clock, lines, runtime, registered: runtime.registerFactory("doer", make) };
}

describe("a process that awaits a call and has no other work", () => {
  test.each([
    ["start-forgotten", "A message waits in a runtime that does not run. The runtime is not started: call start()"],
    ["sent-after-stop", "A message waits in a runtime that does not run. The runtime is not started: call start()"],
    ["awaits-idle", "stopWhenIdle() still waits for 1 handler: silent/k (Say)."],
    ["stopped-under-way", "The runtime has stopped, but 1 call has no outcome yet: silent/k (Say)."],
  ])("says why before it ends: %s", async (fault, text) => {
    await using program = new NodeProgram("tests/unit/core/in-process/programs/waits-in-vain.ts", [fault]);
    expect(await program.ended).toMatchObject({ code: 13, stderr: expect.stringContaining(text) });
  });
});

describe("a wait until all is handled", () => {
  test("is told which handlers run: after a second, and every 30 s", async () => {
    const gate = new Gate();
    const { clock, runtime, lines, registered } = open(
      () => new Doer(() => gate.opened.then(() => Said({ text: "done" }))),
    );
    await registered;
    await runtime.start();
    const call = runtime.sendMessage(Say({}), id);
    const idle = runtime.stopWhenIdle();
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(999);
    expect(lines("warn")).toEqual([]);
    clock.advance(1);
    clock.advance(30_000);
    expect(lines("warn")).toEqual(Array(2).fill(expect.stringContaining("waits for 1 handler: doer/k (Say).")));
    gate.open();
    await Promise.all([call, idle]);
    clock.advance(60_000);
    expect(lines("warn")).toHaveLength(2);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("a call under way at stop()", () => {
  test("still gets its handler's answer, and is not warned of when that comes within a second", async () => {
    const gate = new Gate();
    const { clock, runtime, lines, registered } = open(
      () => new Doer(() => gate.opened.then(() => Said({ text: "done" }))),
    );
    await registered;
    await runtime.start();
    const call = runtime.sendMessage(Say({}), id);
    await new Promise((resolve) => setImmediate(resolve));
    await runtime.stop();
    clock.advance(900);
    gate.open();
    expect(await call).toEqual({ text: "done" });
    clock.advance(1_000);
    expect(lines("warn")).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
    await runtime.close();
  });

  test("is named a second later when it has no outcome, and close() gives it one", async () => {
    const { clock, runtime, lines, registered } = open(() => new Doer(() => new Promise(() => undefined)));
    await registered;
    await runtime.start();
    const call = runtime.sendMessage(Say({}), id);
    await new Promise((resolve) => setImmediate(resolve));
    await runtime.stop();
    clock.advance(999);
    expect(lines("warn")).toEqual([]);
    clock.advance(1);
    expect(lines("warn")).toEqual([expect.stringContaining("1 call has no outcome yet: doer/k (Say).")]);
    await runtime.close();
    await expect(call).rejects.toMatchObject({ code: "shutting-down" });
    expect(clock.pendingTimers).toBe(0);
  });
});

test("a runtime that was stopped warns anew of a message that waits, although it warned before its start", async () => {
  const { clock, runtime, lines, registered } = open(() => new Doer(() => Said({ text: "done" })));
  await registered;
  const early = runtime.sendMessage(Say({}), id);
  clock.advance(1_000);
  await runtime.start();
  await early;
  await runtime.stop();
  const late = runtime.sendMessage(Say({}), id);
  clock.advance(1_000);
  expect(lines("warn")).toHaveLength(2);
  await runtime.close();
  await expect(late).rejects.toMatchObject({ code: "shutting-down" });
});

describe.each([
  ["close()", (runtime: SingleThreadedAgentRuntime) => runtime.close()],
  ["disposal", (runtime: SingleThreadedAgentRuntime) => runtime[Symbol.asyncDispose]()],
])("%s does not wait for ever", (_what, end) => {
  test("for a factory that hangs, and names its agent", async () => {
    const { clock, runtime, lines, registered } = open(() => new Promise<Doer>(() => undefined));
    await registered;
    await runtime.start();
    const call = expect(runtime.sendMessage(Say({}), id)).rejects.toMatchObject({ code: "shutting-down" });
    await new Promise((resolve) => setImmediate(resolve));
    const ended = end(runtime);
    clock.advance(5_000);
    await call;
    clock.advance(5_000);
    await ended;
    expect(lines("error")).toEqual([expect.stringContaining("the runtime closed: doer/k (being made).")]);
  });

  test("for an agent whose own close() hangs, and names it", async () => {
    class Clinging extends Doer {
      override close(): Promise<void> {
        return new Promise(() => undefined);
      }
    }
    const { clock, runtime, lines, registered } = open(() => new Clinging(() => Said({ text: "done" })));
    await registered;
    await runtime.start();
    await runtime.sendMessage(Say({}), id);
    const ended = end(runtime);
    for (const _turn of [1, 2]) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(5_000);
    }
    await ended;
    expect(lines("error")).toEqual([expect.stringContaining("the runtime closed: doer/k (being closed).")]);
  });
});
