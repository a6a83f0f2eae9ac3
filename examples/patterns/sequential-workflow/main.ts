// Sequential workflow: each step takes what the step before has made. A list of calls in a loop is the whole pattern.
import assert from "node:assert/strict";
import { AgentId, type AgentRuntime, defineMessage, handlerTable, RoutedAgent } from "troupe";
import { z } from "zod";
import { play } from "../support/play.ts";

const Text = defineMessage("Text", z.object({ text: z.string() }));
const Improve = defineMessage("Improve", z.object({ text: z.string() }), { answer: Text });

/** Each step stands for a model with instructions of its own. */
class Step extends RoutedAgent {
  static override readonly handlers = handlerTable<Step>().rpc(Improve, function ({ text }) {
    return Text({ text: this.#improve(text) });
  });

  readonly #improve: (text: string) => string;

  constructor(improve: (text: string) => string) {
    super("improves a text");
    this.#improve = improve;
  }
}

const register = (runtime: AgentRuntime, type: string, improve: (text: string) => string) =>
  Step.register(runtime, type, () => new Step(improve));

await play({
  parts: [
    async (runtime) => {
      await register(runtime, "concepts", (text) => `bottle, steel, cold for 24 h: ${text}`);
      await register(runtime, "writer", (text) => `Buy it!! ${text}`);
    },
    async (runtime) => {
      await register(runtime, "editor", (text) => text.replace("!!", "."));
    },
  ],
  story: async (runtime) => {
    let text = "a water bottle";
    for (const step of ["concepts", "writer", "editor"]) {
      ({ text } = await runtime.sendMessage(Improve({ text }), new AgentId(step, "copy-1")));
      console.log(`${step}: ${text}`);
    }
    assert.equal(text, "Buy it. bottle, steel, cold for 24 h: a water bottle");
  },
});
