import { expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  defineMessage,
  handlerTable,
  RoutedAgent,
  SingleThreadedAgentRuntime,
} from "../../../src/core/index.ts";
import { shardOf } from "../../../src/core/internal.ts";
import { ManualClock } from "../../../src/testing/index.ts";

const Job = defineMessage("LateJob", z.object({ text: z.string() }));

/** Two agents whose mail is read together. */
function twoOfOneShard(): readonly [AgentId, AgentId] {
  const first = new AgentId("worker", "0");
  const isBeside = (id: AgentId) => shardOf(id) === shardOf(first);
  for (let at = 1; ; at += 1) {
    const other = new AgentId("worker", String(at));
    if (isBeside(other)) return [first, other];
  }
}

test("a told message whose time is up before an agent without a state gets it is tried again, and handled once", async () => {
  const clock = new ManualClock();
  const retry = { initialDelayMs: 1_000, jitter: 0 };
  const runtime = new SingleThreadedAgentRuntime({ clock, handlerTimeoutMs: 1_000, retry });
  const handled: (readonly [text: string, atMs: number])[] = [];
  const startedMs = clock.now();
  class Worker extends RoutedAgent {
    static override readonly handlers = handlerTable<Worker>().rpc(Job, ({ text }) => {
      const isAgain = handled.some(([known]) => known === text);
      handled.push([text, clock.now() - startedMs]);
      // The handler keeps the process busy for so long.
      if (text === "long" && !isAgain) clock.advance(1_000);
    });
  }
  await Worker.register(runtime, "worker", () => new Worker("works"));
  const [busy, other] = twoOfOneShard();
  await runtime.start();
  for (const id of [busy, other]) await runtime.tell(Job({ text: "first" }), id);
  await runtime.stopWhenIdle();
  await runtime.tell(Job({ text: "long" }), busy);
  await runtime.tell(Job({ text: "late" }), other);
  await runtime.start();
  while (!handled.some(([text]) => text === "late")) {
    clock.advance(handled.length > 2 ? 500 : 0);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(handled.find(([text]) => text === "late")).toEqual(["late", 2_000]);
  await runtime.close();
});
