import { jsonSchema, tool } from "ai";
import { AgentId, handlerTable, RoutedAgent } from "troupe";
import { AiAgent, agentTool, Prompt, Reply } from "troupe/ai";
import { scriptedModel } from "troupe/ai/testing";
import { MemoryStateStore } from "troupe/storage";
import { expect, test } from "vitest";
import { startTestHost } from "../../../src/testing/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { Opened } from "../../support/opened.ts";

const thinker = new AgentId("thinker", "k");

/** Asks the agent that thinks, and answers with the error that it gets. */
class Helper extends RoutedAgent {
  static override readonly handlers = handlerTable<Helper>().rpc(Prompt, async function (prompt, { signal }) {
    const answer = this.sendMessage(prompt, thinker, { signal });
    return Reply({ text: await answer.then(({ text }) => text).catch(({ message }) => `not asked: ${message}`) });
  });
}

test.each([["its tool passes its signal on"], ["its tool forgets its signal"]])(
  "a call that comes back to an agent that thinks fails as deadlock, though that has the only slot of its worker, if %s",
  async (title) => {
    await using opened = new Opened();
    const host = opened.use(await startTestHost({ stateStore: opened.use(new MemoryStateStore()) }));
    const join = async (maxConcurrentHandlers?: number) => {
      const worker = opened.use(new WorkerRuntime({ ...host, maxConcurrentHandlers, stuckAfterMs: 0 }));
      await worker.start();
      worker.addMessageSerializer([Prompt, Reply]);
      return worker;
    };
    const [caller, callee, between] = [await join(), await join(1), await join()];
    const model = scriptedModel([{ calls: [{ name: "ask", input: { text: "go on" } }] }, { text: "done" }]);
    const to = new AgentId("helper", "k");
    const ask = title.includes("forgets")
      ? tool({
          inputSchema: jsonSchema<object>({ type: "object" }),
          execute: async () => (await callee.sendMessage(Prompt({ text: "go on" }), to, { sender: thinker })).text,
        })
      : agentTool(Prompt, { to, description: "Asks" });
    await AiAgent.register(callee, "thinker", () => new AiAgent({ model, tools: { ask } }));
    await Helper.register(between, "helper", () => new Helper("helps"));
    expect((await caller.sendMessage(Prompt({ text: "outer" }), thinker)).text).toBe("done");
    const read = JSON.stringify(model.calls[1]?.prompt);
    expect(read).toContain("not asked: The call to thinker/k would wait for a turn that waits for it");
    expect(read).toContain("thinker/k → helper/k → thinker/k");
  },
);
