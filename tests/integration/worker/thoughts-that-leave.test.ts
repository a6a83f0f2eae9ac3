import { jsonSchema, tool } from "ai";
import { AgentId } from "troupe";
import { AiAgent, Prompt } from "troupe/ai";
import { scriptedModel } from "troupe/ai/testing";
import { MemoryStateStore } from "troupe/storage";
import { expect, test } from "vitest";
import { startTestHost } from "../../../src/testing/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { Opened } from "../../support/opened.ts";

const ada = new AgentId("concierge", "ada");
const inputSchema = jsonSchema<object>({ type: "object", properties: {} });

test.each([[true], [false]])(
  "an agent that thinks stops at the end of a step when its worker stops, and its run goes on at the next one (shared: %s)",
  async (shared) => {
    await using opened = new Opened();
    const stateStore = opened.use(new MemoryStateStore());
    const host = opened.use(await startTestHost({ stateStore, sharedTypes: shared ? ["concierge"] : [] }));
    const join = async () => {
      const worker = opened.use(new WorkerRuntime({ ...host }));
      await worker.start();
      worker.addMessageSerializer([Prompt]);
      return worker;
    };
    const caller = await join();
    const [begun, goOn] = [new Gate(), new Gate()];
    let runs = 0;
    const execute = async () => {
      runs += 1;
      begun.open();
      await goOn.opened;
      return "looked";
    };
    const register = async (model: ReturnType<typeof scriptedModel>) => {
      const worker = await join();
      const make = () => new AiAgent({ model, tools: { look: tool({ inputSchema, execute }) } });
      await AiAgent.register(worker, "concierge", make, shared ? { shared: true } : {});
      return worker;
    };
    const first = scriptedModel([{ text: "I look.", calls: [{ name: "look", input: {} }] }, { text: "Too late." }]);
    const worker = await register(first);
    const run = await caller.startRun(Prompt({ text: "Look" }), ada, { id: "r" });
    await begun.opened;
    const stopped = worker.stop();
    const next = scriptedModel([{ text: "It is there." }]);
    if (shared) await register(next);
    goOn.open();
    await stopped;
    expect(first.calls).toHaveLength(1);
    if (!shared) await register(next);
    expect((await run.answer()).text).toBe("It is there.");
    expect(next.calls).toHaveLength(1);
    expect(runs).toBe(1);
  },
);
