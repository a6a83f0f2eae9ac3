import { jsonSchema, ToolLoopAgent, tool } from "ai";
import { AgentId, handlerTable, RoutedAgent } from "troupe";
import { AiAgent, agentTool, type FinishedStep, keepLast, Prompt, Reply, sameKey, type ThinkingAgent } from "troupe/ai";
import { scriptedModel } from "troupe/ai/testing";
import { MemoryStateStore } from "troupe/storage";
import { UiPart } from "troupe/teams";
import { describe, expect, test } from "vitest";
import { ada, concierge, given, signalled } from "./support.ts";

const city = jsonSchema<{ city: string }>({
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
});
const askForecast = { name: "forecast", input: { city: "Lisbon" } };

describe("an agent that thinks", () => {
  test("a prompt is answered by the model's text and the tokens of the turn", async () => {
    const model = scriptedModel([{ text: "It is 24 degrees.", tokens: { input: 7, output: 3 } }]);
    const runtime = await concierge({ model, instructions: "You help guests." });
    const reply = await runtime.sendMessage(Prompt({ text: "How warm is it?" }), ada);
    const counts = { input_tokens: 7, output_tokens: 3, model_calls: 1 };
    expect({ ...reply }).toEqual({ text: "It is 24 degrees.", finish_reason: "stop", ...counts });
    expect(given(model, 0)).toEqual(["system: You help guests.", "user: How warm is it?"]);
    await runtime.close();
  });

  test("the chunks of an answer are the parts of the UI message stream", async () => {
    const runtime = await concierge({ model: scriptedModel([{ text: ["It is ", "warm."] }]) });
    const types: string[] = [];
    for await (const part of runtime.stream(Prompt({ text: "Hi" }), ada)) types.push(part.type);
    const text = ["text-start", "text-delta", "text-delta", "text-end"];
    expect(types).toEqual(["start", "start-step", ...text, "finish-step", "finish"]);
    await runtime.close();
  });

  test("each key has a conversation of its own, which the model is given again", async () => {
    const model = scriptedModel([{ text: "one" }, { text: "other" }, { text: "two" }]);
    const runtime = await concierge({ model });
    await runtime.sendMessage(Prompt({ text: "1" }), ada);
    await runtime.sendMessage(Prompt({ text: "else" }), new AgentId("concierge", "bob"));
    await runtime.sendMessage(Prompt({ text: "2" }), ada);
    expect(given(model, 1)).toEqual(["user: else"]);
    expect(given(model, 2)).toEqual(["user: 1", "assistant: one", "user: 2"]);
    await runtime.close();
  });

  test("a conversation goes on in another runtime with the same store", async () => {
    const store = new MemoryStateStore();
    const first = await concierge({ model: scriptedModel([{ text: "one" }]) }, store);
    await first.sendMessage(Prompt({ text: "1" }), ada);
    await first.close();
    const model = scriptedModel([{ text: "two" }]);
    const second = await concierge({ model }, store);
    await second.sendMessage(Prompt({ text: "2" }), ada);
    expect(given(model, 0)).toEqual(["user: 1", "assistant: one", "user: 2"]);
    await second.close();
  });

  test("a turn whose model fails leaves nothing in the history", async () => {
    const model = scriptedModel([{ error: new Error("no quota") }, { text: "two" }]);
    const runtime = await concierge({ model, maxRetries: 0 });
    await expect(runtime.sendMessage(Prompt({ text: "1" }), ada)).rejects.toThrow("no quota");
    await runtime.sendMessage(Prompt({ text: "2" }), ada);
    expect(given(model, 1)).toEqual(["user: 2"]);
    await runtime.close();
  });

  test("an error of a tool is told to the model, and the turn goes on", async () => {
    const model = scriptedModel([{ calls: [askForecast] }, { text: "I don't know." }]);
    const fails = (): Promise<string> => Promise.reject(new Error("no forecast"));
    const runtime = await concierge({ model, tools: { forecast: tool({ inputSchema: city, execute: fails }) } });
    const reply = await runtime.sendMessage(Prompt({ text: "Rain?" }), ada);
    expect([reply.text, reply.model_calls]).toEqual(["I don't know.", 2]);
    expect(JSON.stringify(model.calls[1]?.prompt)).toContain("no forecast");
    await runtime.close();
  });

  test("the values that a tool yields reach the reader, and the last one the model", async () => {
    const model = scriptedModel([{ calls: [askForecast] }, { text: "Dry." }]);
    const forecast = tool({
      inputSchema: city,
      async *execute() {
        yield "asking";
        yield "dry";
      },
    });
    const runtime = await concierge({ model, tools: { forecast } });
    const outputs: unknown[] = [];
    for await (const part of runtime.stream(Prompt({ text: "Rain?" }), ada)) {
      if (part.type === "tool-output-available") outputs.push([part.output, part.preliminary === true]);
    }
    expect(outputs).toEqual([
      ["asking", true],
      ["dry", true],
      ["dry", false],
    ]);
    expect(JSON.stringify(model.calls[1]?.prompt)).toContain('"dry"');
    await runtime.close();
  });

  test("the history has each step once, whether a step of the AI SDK tells its own messages or all so far", async () => {
    const model = scriptedModel([
      { calls: [askForecast] },
      { calls: [askForecast] },
      { text: "Dry." },
      { text: "Yes." },
    ]);
    const inner = new ToolLoopAgent({
      model,
      tools: { forecast: tool({ inputSchema: city, execute: () => "dry" }) },
    });
    /** Tells the messages of each step alone, as version 7 of the AI SDK does. */
    const agent: ThinkingAgent = {
      version: "agent-v1",
      tools: inner.tools,
      stream: (options) => {
        let told = 0;
        return inner.stream({
          ...options,
          onStepFinish: async (step) => {
            const messages = step.response.messages.slice(told);
            told = step.response.messages.length;
            const alone: FinishedStep = Object.create(step, { response: { value: { messages } } });
            await options.onStepFinish?.(alone);
          },
        });
      },
    };
    const runtime = await concierge({ agent });
    await runtime.sendMessage(Prompt({ text: "Rain?" }), ada);
    await runtime.sendMessage(Prompt({ text: "Really?" }), ada);
    const call = ["assistant: tool-call", "tool: tool-result"];
    expect(given(model, 3)).toEqual(["user: Rain?", ...call, ...call, "assistant: Dry.", "user: Really?"]);
    await runtime.close();
  });

  test("a turn whose reader leaves ends as cancelled, and keeps the text so far", async () => {
    const gate = signalled();
    const model = scriptedModel([{ text: ["one ", "more"], after: gate.promise }, { text: "two" }]);
    const runtime = await concierge({ model });
    const stream = runtime.stream(Prompt({ text: "1" }), ada);
    for await (const { type } of stream) if (type === "text-delta") break;
    await expect(stream.answer).rejects.toMatchObject({ code: "cancelled" });
    await runtime.sendMessage(Prompt({ text: "2" }), ada);
    expect(given(model, 1)).toEqual(["user: 1", "assistant: one ", "user: 2"]);
    gate.resolve();
    await runtime.close();
  });

  test("history.compact makes the history shorter before a turn", async () => {
    const model = scriptedModel([{ text: "one" }, { text: "two" }]);
    const runtime = await concierge({ model, history: { compact: keepLast(1) } });
    await runtime.sendMessage(Prompt({ text: "1" }), ada);
    await runtime.sendMessage(Prompt({ text: "2" }), ada);
    expect(given(model, 1)).toEqual(["user: 2"]);
    await runtime.close();
  });

  test("a tool that needs approval is refused when the agent is made", () => {
    const book = tool({ inputSchema: city, needsApproval: true, execute: () => "booked" });
    expect(() => new AiAgent({ model: scriptedModel([]), tools: { book } })).toThrow("The tool book needs approval");
  });
});

describe("a message that comes while the agent thinks", () => {
  test("waits for its turn with queue", async () => {
    const gate = signalled();
    const model = scriptedModel([{ text: "one", after: gate.promise }, { text: "two" }]);
    const runtime = await concierge({ model });
    const first = runtime.sendMessage(Prompt({ text: "1" }), ada);
    const second = runtime.sendMessage(Prompt({ text: "2" }), ada);
    gate.resolve();
    expect([(await first).text, (await second).text]).toEqual(["one", "two"]);
    await runtime.close();
  });

  test("fails as overloaded with reject", async () => {
    const [gate, begun] = [signalled(), signalled()];
    const model = scriptedModel([
      () => {
        begun.resolve();
        return { text: "one", after: gate.promise };
      },
    ]);
    const runtime = await concierge({ model, whenBusy: "reject" });
    const first = runtime.sendMessage(Prompt({ text: "1" }), ada);
    await begun.promise;
    await expect(runtime.sendMessage(Prompt({ text: "2" }), ada)).rejects.toMatchObject({ code: "overloaded" });
    gate.resolve();
    expect((await first).text).toBe("one");
    await runtime.close();
  });

  test("ends the present turn with interrupt, which keeps the text so far", async () => {
    const gate = signalled();
    const model = scriptedModel([{ text: ["one ", "more"], after: gate.promise }, { text: "two" }]);
    const runtime = await concierge({ model, whenBusy: "interrupt" });
    const seen = signalled();
    const first = (async () => {
      for await (const part of runtime.stream(Prompt({ text: "1" }), ada))
        if (part.type === "text-delta") seen.resolve();
    })();
    const outcome = expect(first).rejects.toMatchObject({ code: "cancelled" });
    await seen.promise;
    expect((await runtime.sendMessage(Prompt({ text: "2" }), ada)).text).toBe("two");
    await outcome;
    expect(given(model, 1)).toEqual(["user: 1", "assistant: one ", "user: 2"]);
    gate.resolve();
    await runtime.close();
  });

  test("is read after the present step with steer, and the answer is for both", async () => {
    const [gate, begun] = [signalled(), signalled()];
    const model = scriptedModel([{ calls: [askForecast] }, { text: "for another key" }, { text: "both" }]);
    const execute = () => {
      begun.resolve();
      return gate.promise.then(() => "dry");
    };
    const forecast = tool({ inputSchema: city, execute });
    const runtime = await concierge({ model, whenBusy: "steer", tools: { forecast } });
    const first = runtime.sendMessage(Prompt({ text: "1" }), ada);
    await begun.promise;
    const second = runtime.sendMessage(Prompt({ text: "2" }), ada);
    // When a later message is answered, this one has reached its agent.
    await runtime.sendMessage(Prompt({ text: "x" }), new AgentId("concierge", "bob"));
    gate.resolve();
    expect([(await first).text, (await second).text]).toEqual(["both", "both"]);
    expect(given(model, 2)).toEqual(["user: 1", "assistant: tool-call", "tool: tool-result", "user: 2"]);
    await runtime.close();
  });
});

describe("an agent as a tool", () => {
  class Buyer extends RoutedAgent {
    static override readonly handlers = handlerTable<Buyer>().rpc(Prompt, function ({ text }) {
      return Reply({ text: `${this.id} bought ${text}` });
    });
  }

  test("the reader sees every chunk of an agent that a tool asks, at whatever moment it comes", async () => {
    // The moments are microtasks between two chunks.
    for (let moments = 0; moments < 40; moments += 1) {
      class Clerk extends RoutedAgent {
        static override readonly handlers = handlerTable<Clerk>().rpc(Prompt, async function* () {
          for (const id of ["1", "2", "3"]) {
            yield UiPart({ type: "text-delta", id, delta: id });
            for (let passed = 0; passed < moments; passed += 1) await null;
          }
          return Reply({ text: "bought" });
        });
      }
      const model = scriptedModel([{ calls: [{ name: "buy", input: { text: "bread" } }] }, { text: "Done." }]);
      const tools = { buy: agentTool(Prompt, { to: "clerk", description: "Buys", stream: true }) };
      const runtime = await concierge({ model, tools });
      await Clerk.register(runtime, "clerk", () => new Clerk("clerk"));
      const stream = runtime.stream(Prompt({ text: "Buy bread" }), ada);
      let seen = 0;
      for await (const { type } of stream) if (type === "data-agent") seen += 1;
      expect([seen, (await stream.answer).text]).toEqual([3, "Done."]);
      await runtime.close();
    }
  });

  test("a model writes the message, and reads the agent's answer", async () => {
    const model = scriptedModel([{ calls: [{ name: "buy", input: { text: "bread" } }] }, { text: "Done." }]);
    const tools = { buy: agentTool(Prompt, { to: sameKey("buyer"), description: "Buys things" }) };
    const runtime = await concierge({ model, tools });
    await Buyer.register(runtime, "buyer", () => new Buyer("buys"));
    expect((await runtime.sendMessage(Prompt({ text: "Buy bread" }), ada)).text).toBe("Done.");
    expect(JSON.stringify(model.calls[1]?.prompt)).toContain("buyer/ada bought bread");
    await runtime.close();
  });

  test("a call of the agent to itself fails as deadlock, and the turn goes on", async () => {
    const calls = [{ name: "self", input: { text: "Hello" } }];
    const model = scriptedModel([{ calls }, { text: "I can't ask myself." }]);
    const tools = { self: agentTool(Prompt, { to: sameKey("concierge"), description: "Asks itself" }) };
    const runtime = await concierge({ model, tools });
    expect((await runtime.sendMessage(Prompt({ text: "Go" }), ada)).text).toBe("I can't ask myself.");
    expect(JSON.stringify(model.calls[1]?.prompt)).toContain("deadlock: concierge/ada can't ask itself");
    await runtime.close();
  });

  test("a caller that gives up ends the turn, and the call to the agent with it", async () => {
    const [never, begun, isAborted] = [signalled(), signalled(), signalled()];
    class Slow extends RoutedAgent {
      static override readonly handlers = handlerTable<Slow>().rpc(Prompt, async (_prompt, { signal }) => {
        signal.addEventListener("abort", isAborted.resolve, { once: true });
        begun.resolve();
        await never.promise;
        return Reply({ text: "late" });
      });
    }
    const model = scriptedModel([{ calls: [{ name: "ask", input: { text: "Hello" } }] }, { text: "next" }]);
    const tools = { ask: agentTool(Prompt, { to: "slow", description: "Asks" }) };
    const runtime = await concierge({ model, tools });
    await Slow.register(runtime, "slow", () => new Slow("takes long"));
    const leaves = new AbortController();
    const late = runtime.sendMessage(Prompt({ text: "Go" }), ada, { signal: leaves.signal });
    const outcome = expect(late).rejects.toMatchObject({ code: "cancelled" });
    await begun.promise;
    leaves.abort();
    await outcome;
    await isAborted.promise;
    expect((await runtime.sendMessage(Prompt({ text: "Again" }), ada)).text).toBe("next");
    expect(given(model, 1)).toEqual(["user: Go", "assistant: tool-call", "tool: tool-result", "user: Again"]);
    never.resolve();
    await runtime.close();
  });

  test("an error of the agent is told to the model with its code", async () => {
    const model = scriptedModel([{ calls: [{ name: "buy", input: { text: "bread" } }] }, { text: "Sorry." }]);
    const runtime = await concierge({ model, tools: { buy: agentTool(Prompt, { to: "buyer", description: "Buys" }) } });
    expect((await runtime.sendMessage(Prompt({ text: "Buy bread" }), ada)).text).toBe("Sorry.");
    expect(JSON.stringify(model.calls[1]?.prompt)).toContain("undeliverable: Recipient not found");
    await runtime.close();
  });
});
