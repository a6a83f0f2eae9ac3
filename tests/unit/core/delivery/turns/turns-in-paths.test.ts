import { expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  BaseAgent,
  defineMessage,
  type MessageContext,
  SingleThreadedAgentRuntime,
} from "../../../../../src/core/index.ts";

const Look = defineMessage("Look", z.object({}));

class Looking extends BaseAgent {
  readonly seen: unknown[] = [];

  protected override onMessageImpl(_message: unknown, context: MessageContext): undefined {
    for (const turn of context.scope?.path ?? []) {
      const own = Object.values(Object.getOwnPropertyDescriptors(turn));
      const { type, key, isAwaited } = turn;
      this.seen.push({ type, key, isAwaited, ownGetters: own.filter(({ get }) => get !== undefined) });
    }
  }
}

// V8 gives each object with a getter of its own a hidden class. That kept each call alive until a full collection.
test("a turn stands in the path of its calls without getters of its own", async () => {
  const runtime = new SingleThreadedAgentRuntime();
  const agent = new Looking("looks");
  await Looking.register(runtime, "looking", () => agent, { concurrency: "sequential" });
  await runtime.start();
  await runtime.sendMessage(Look({}), new AgentId("looking", "1"));
  await runtime.stop();
  expect(agent.seen).toEqual([{ type: "looking", key: "1", isAwaited: true, ownGetters: [] }]);
});
