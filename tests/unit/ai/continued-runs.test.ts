import { readFileSync } from "node:fs";
import { join } from "node:path";
import { jsonSchema, tool } from "ai";
import { AgentId, type AgentRuntime, SingleThreadedAgentRuntime } from "troupe";
import { AiAgent, Prompt } from "troupe/ai";
import { scriptedModel } from "troupe/ai/testing";
import { MemoryStateStore } from "troupe/storage";
import { describe, expect, test } from "vitest";
import { countingBuyer, type HaltPlace } from "../../support/counting-buyer.ts";
import { Gate } from "../../support/gate.ts";
import { Opened } from "../../support/opened.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { newFolder } from "../../support/sqlite-stores.ts";

const ada = new AgentId("buyer", "ada");

async function openRuntime(opened: Opened, stateStore: MemoryStateStore, make: () => AiAgent) {
  const runtime = new SingleThreadedAgentRuntime({ stateStore, logger: new RecordingLogger() });
  // A disposal would wait for handlers that hang.
  opened.use({ [Symbol.asyncDispose]: () => runtime.close() });
  await AiAgent.register(runtime, "buyer", make);
  runtime.start();
  return runtime;
}

/** The process of the store's holder is lost: what it writes from now on is refused. */
async function lose(store: MemoryStateStore): Promise<MemoryStateStore> {
  await store.close();
  return store.reopen();
}

/** Reads a run until a part is there, or to its end. */
async function readParts(runtime: AgentRuntime, until?: string, id = "r") {
  const parts: string[] = [];
  const reading = runtime.attachRun(ada, id, { message: Prompt }).read()[Symbol.asyncIterator]();
  for (;;) {
    const step = await reading.next();
    if (step.done === true) return { parts, text: step.value.text, calls: step.value.model_calls };
    const { type, delta } = step.value.chunk;
    parts.push(delta === undefined ? type : `${type} ${delta}`);
    if (parts.at(-1) === until) return { parts, text: "", calls: 0 };
  }
}

/** The parts of a whole step in which a tool is called. */
function toolStep(outcome: string, ...deltas: string[]): readonly string[] {
  const text = deltas.map((delta) => `text-delta ${delta}`);
  return ["start-step", "text-start", ...text, "text-end", "tool-input-available", outcome, "finish-step"];
}

const looked = toolStep("tool-output-available", "I look", " for it.");
const bought = toolStep("tool-output-available", "I buy it.");
const unsure = toolStep("tool-output-error", "I buy it.");
const said = ["start-step", "text-start", "text-delta It is", "text-delta  done.", "text-end", "finish-step", "finish"];

interface Case {
  /** The last part that the reader has before the worker is lost. */
  readonly seen: string;
  readonly done: readonly string[];
  readonly parts: readonly string[];
}

const cases: Readonly<Record<Exclude<HaltPlace, "never" | "answering">, Case>> = {
  asked: {
    seen: "text-delta I look",
    done: ["model 0", "model 0", "look", "model 1", "buy", "model 2"],
    parts: ["start-step", "text-start", "text-delta I look", "text-end", "finish-step", ...looked, ...bought, ...said],
  },
  called: {
    seen: "tool-input-available",
    done: ["model 0", "model 0", "look", "model 1", "buy", "model 2"],
    parts: [...toolStep("tool-output-error", "I look", " for it."), ...looked, ...bought, ...said],
  },
  "in look": {
    seen: "tool-input-available",
    done: ["model 0", "look", "look", "model 1", "buy", "model 2"],
    parts: [...looked, ...bought, ...said],
  },
  "in buy": {
    seen: "text-delta I buy it.",
    done: ["model 0", "look", "model 1", "buy", "model 2"],
    parts: [...looked, ...unsure, ...said],
  },
  bought: {
    seen: "text-delta It is",
    done: ["model 0", "look", "model 1", "buy", "model 2", "model 2"],
    parts: [
      ...[...looked, ...bought, "start-step", "text-start", "text-delta It is", "text-end", "finish-step"],
      ...said,
    ],
  },
};

describe("a run of an agent that thinks", () => {
  test.for(Object.entries(cases))(
    "goes on where its worker was lost, and its reader has a whole stream: %s",
    async ([place, { seen, done, parts: expected }]) => {
      await using opened = new Opened();
      const store = new MemoryStateStore();
      const file = join(newFolder(), "done.txt");
      const halted = new Gate();
      const halting = { file, haltAt: place as HaltPlace, onHalt: () => halted.open() };
      const first = await openRuntime(opened, store, () => countingBuyer({ ...halting, ids: "a" }));
      await first.startRun(Prompt({ text: "Buy bread" }), ada, { id: "r" });
      await readParts(first, seen);
      await halted.opened;
      const next = await openRuntime(opened, await lose(store), () =>
        countingBuyer({ ...halting, haltAt: "never", ids: "b" }),
      );
      const { parts, text, calls } = await readParts(next);
      expect(readFileSync(file, "utf8").trim().split("\n")).toEqual(done);
      expect(parts).toEqual(["start", ...expected]);
      expect({ text, calls }).toEqual({ text: "It is done.", calls: 3 });
    },
  );

  test("is set aside while another run of the agent goes on before it, and repeats no finished step", async () => {
    await using opened = new Opened();
    const store = new MemoryStateStore();
    const file = join(newFolder(), "done.txt");
    const halted = new Gate();
    const halting = { file, onHalt: () => halted.open() };
    const first = await openRuntime(opened, store, () => countingBuyer({ ...halting, haltAt: "in buy", ids: "a" }));
    await first.startRun(Prompt({ text: "Buy bread" }), ada, { id: "r" });
    await halted.opened;
    await first.startRun(Prompt({ text: "Buy more" }), ada, { id: "behind" });
    const next = await openRuntime(opened, await lose(store), () =>
      countingBuyer({ ...halting, haltAt: "never", ids: "b" }),
    );
    // The runtime asks for the one behind first.
    expect((await readParts(next, undefined, "behind")).text).toBe("It is done.");
    const { parts, text, calls } = await readParts(next);
    expect(parts).toEqual(["start", ...looked, ...unsure, ...said]);
    expect({ text, calls }).toEqual({ text: "It is done.", calls: 3 });
    const done = readFileSync(file, "utf8").trim().split("\n");
    expect(done.filter((what) => what === "buy")).toHaveLength(2);
    expect(done.slice(0, 4)).toEqual(["model 0", "look", "model 1", "buy"]);
  });

  test("answers both runs of a turn into which a message was steered", async () => {
    await using opened = new Opened();
    const store = new MemoryStateStore();
    const [halted, steered, never] = [new Gate(), new Gate(), new Gate()];
    const inputSchema = jsonSchema<object>({ type: "object", properties: {} });
    const tools = {
      wait: tool({ inputSchema, execute: () => steered.opened.then(() => "waited") }),
      hang: tool({
        inputSchema,
        execute: () => {
          halted.open();
          return never.opened.then(() => "never");
        },
      }),
    };
    const calling = (name: string, id: string) => ({ calls: [{ name, input: { id } }] });
    const options = { tools, whenBusy: "steer" } as const;
    const lost = scriptedModel([calling("wait", "1"), calling("hang", "2")]);
    const first = await openRuntime(opened, store, () => new AiAgent({ ...options, model: lost }));
    await first.startRun(Prompt({ text: "Wait" }), ada, { id: "r" });
    await readParts(first, "tool-input-available");
    await first.startRun(Prompt({ text: "And hang" }), ada, { id: "with" });
    steered.open();
    await halted.opened;
    const model = scriptedModel([{ text: "Both are answered." }]);
    const next = await openRuntime(opened, await lose(store), () => new AiAgent({ ...options, model }));
    const [one, other] = await Promise.all([readParts(next), readParts(next, undefined, "with")]);
    expect([one.text, other.text]).toEqual(["Both are answered.", "Both are answered."]);
    expect(model.calls).toHaveLength(1);
    expect(other.parts).toContain("finish");
  });
});
