import {
  AgentId,
  AssistantMessage,
  type Completion,
  defineTool,
  FunctionCall,
  type LLMMessage,
  SystemMessage,
  type Tool,
  ToolAgent,
  type ToolSchema,
  toolAgentCallerLoop,
  UserMessage,
} from "troupe";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { bound, contextOf, RecordingRuntime } from "../agents/recording-runtime.ts";

const double = defineTool({
  name: "double",
  description: "doubles a number",
  schema: z.object({ value: z.number() }),
  run: ({ value }) => value * 2,
});
const echo = defineTool({
  name: "echo",
  description: "says it again",
  schema: z.object({ text: z.string() }),
  run: async ({ text }, { callId, signal }) => `${text} (${callId}, ${signal.aborted})`,
});
const describeIt = defineTool({ name: "describe", description: "", schema: z.unknown(), run: (a) => ({ a }) });
const silent = defineTool({ name: "silent", description: "", schema: z.unknown(), run: () => undefined });
const failing = defineTool({
  name: "failing",
  description: "",
  schema: z.unknown(),
  run: async () => {
    throw new RangeError("out of paper");
  },
});
const tools = [double, echo, describeIt, silent, failing];

const ask = (name: string, args: unknown, id = "c1") => FunctionCall({ id, name, arguments: JSON.stringify(args) });

describe("ToolAgent", () => {
  const agent = bound(new ToolAgent("runs tools", tools));
  const run = (call: FunctionCall) => agent.onMessage(call, contextOf());

  test("answers with the text of the result, the id of the call and the name of the tool [§8.136]", async () => {
    expect(await run(ask("double", { value: 21 }))).toEqual({
      content: "42",
      call_id: "c1",
      is_error: false,
      name: "double",
    });
    expect(await run(ask("echo", { text: "hi" }, "c7"))).toMatchObject({ content: "hi (c7, false)", call_id: "c7" });
    expect(await run(ask("describe", [1]))).toMatchObject({ content: '{"a":[1]}' });
    expect(await run(ask("silent", {}))).toMatchObject({ content: "" });
  });

  test("a tool it does not have is a ToolNotFoundException [§8.136]", async () => {
    await expect(run(ask("fly", {}))).rejects.toMatchObject({
      name: "ToolNotFoundException",
      code: "tool-not-found",
      message: "Error: Tool not found: fly",
      content: "Error: Tool not found: fly",
      callId: "c1",
      toolName: "fly",
    });
  });

  test("arguments that are not JSON are an InvalidToolArgumentsException [§8.136]", async () => {
    await expect(run(FunctionCall({ id: "c2", name: "double", arguments: "{oops" }))).rejects.toMatchObject({
      name: "InvalidToolArgumentsException",
      message: "Error: Invalid arguments: {oops",
      callId: "c2",
    });
  });

  test("any other failure is a ToolExecutionException [§8.136]", async () => {
    await expect(run(ask("failing", {}))).rejects.toMatchObject({
      name: "ToolExecutionException",
      message: "Error: out of paper",
      cause: expect.any(RangeError),
    });
    await expect(run(ask("double", { value: "two" }))).rejects.toMatchObject({
      name: "ToolExecutionException",
      message: expect.stringMatching(/^Error: value: /),
    });
  });
});

describe("toolAgentCallerLoop", () => {
  const toolAgentId = new AgentId("tools", "default");
  const inputMessages = [SystemMessage({ content: "be brief" }), UserMessage({ content: "twice 21?", source: "user" })];

  /** A model that replies as it is told, and notes what it was asked. */
  function scripted(...replies: Completion[]) {
    const asked: (readonly LLMMessage[])[] = [];
    const offered: (readonly (Tool | ToolSchema)[] | undefined)[] = [];
    return {
      asked,
      offered,
      create: async (
        messages: readonly LLMMessage[],
        options: { tools?: readonly (Tool | ToolSchema)[] | undefined },
      ) => {
        asked.push(messages);
        offered.push(options.tools);
        return replies[asked.length - 1] ?? { content: "out of script" };
      },
    };
  }

  function runtimeWithTools() {
    const runtime = new RecordingRuntime();
    const agent = bound(new ToolAgent("", tools), runtime);
    runtime.answer = (message) => agent.onMessage(message, contextOf());
    return runtime;
  }

  test("runs the tools that the model wants until it replies with text", async () => {
    const calls = [ask("double", { value: 21 }, "c1"), { id: "c2", name: "echo", arguments: '{"text":"hi"}' }];
    const model = scripted({ content: calls }, { content: "42", thought: "easy" });
    const generated = await toolAgentCallerLoop(runtimeWithTools(), {
      toolAgentId,
      modelClient: model,
      inputMessages,
      tools: [double, { name: "echo" }],
      callerSource: "helper",
    });
    expect(generated).toEqual([
      { content: calls, thought: null, source: "helper", type: "AssistantMessage" },
      {
        type: "FunctionExecutionResultMessage",
        content: [
          { content: "42", call_id: "c1", is_error: false, name: "double" },
          { content: "hi (c2, false)", call_id: "c2", is_error: false, name: "echo" },
        ],
      },
      { content: "42", thought: "easy", source: "helper", type: "AssistantMessage" },
    ]);
    expect(model.asked.map(({ length }) => length)).toEqual([2, 4]);
    expect(model.offered[0]).toEqual([double, { name: "echo" }]);
  });

  test("tells the model what its tools failed of", async () => {
    const model = scripted({ content: [ask("fly", {}, "c1"), ask("failing", {}, "c2")] }, { content: "sorry" });
    const [, results, last] = await toolAgentCallerLoop(runtimeWithTools(), {
      toolAgentId,
      modelClient: model,
      inputMessages,
      tools,
    });
    expect(results?.content).toEqual([
      { content: "Error: Tool not found: fly", call_id: "c1", is_error: true, name: "fly" },
      { content: "Error: out of paper", call_id: "c2", is_error: true, name: "failing" },
    ]);
    expect(last).toBeInstanceOf(AssistantMessage);
    expect(last).toMatchObject({ source: "assistant", content: "sorry" });
  });

  test("any other failure rejects", async () => {
    const runtime = new RecordingRuntime();
    runtime.answer = () => {
      throw new Error("line is down");
    };
    const modelClient = scripted({ content: [ask("double", { value: 1 })] });
    await expect(toolAgentCallerLoop(runtime, { toolAgentId, modelClient, inputMessages, tools })).rejects.toThrow(
      "line is down",
    );
  });

  test("passes its signal on to the model and the tools", async () => {
    const { signal } = new AbortController();
    const runtime = runtimeWithTools();
    const modelClient = scripted({ content: [ask("silent", {})] }, { content: "done" });
    await toolAgentCallerLoop(runtime, { toolAgentId, modelClient, inputMessages, tools, signal });
    expect(runtime.lastSend?.signal).toBe(signal);
  });

  describe("with a model that always wants another tool", () => {
    const endless = (rounds: number) => {
      const wanting = { asked: 0 };
      const create = async () => {
        wanting.asked += 1;
        return wanting.asked <= rounds ? { content: [ask("silent", {})] } : { content: "done" };
      };
      return { wanting, modelClient: { create } };
    };

    test("ends after 32 rounds with an error that says so", async () => {
      const { wanting, modelClient } = endless(Number.POSITIVE_INFINITY);
      const runtime = runtimeWithTools();
      await expect(
        toolAgentCallerLoop(runtime, { toolAgentId, modelClient, inputMessages, tools }),
      ).rejects.toMatchObject({
        code: "overloaded",
        message: expect.stringMatching(/in 32 rounds and now requests silent.*maxRounds/),
      });
      expect(wanting.asked).toBe(33);
    });

    test("lets the model reply after the last round", async () => {
      for (const maxRounds of [undefined, 1, 40]) {
        const rounds = maxRounds ?? 32;
        const options = { toolAgentId, inputMessages, tools, maxRounds };
        const enough = await toolAgentCallerLoop(runtimeWithTools(), {
          ...options,
          modelClient: endless(rounds).modelClient,
        });
        expect(enough).toHaveLength(2 * rounds + 1);
        const tooMany = toolAgentCallerLoop(runtimeWithTools(), {
          ...options,
          modelClient: endless(rounds + 1).modelClient,
        });
        await expect(tooMany).rejects.toMatchObject({ code: "overloaded" });
      }
    });

    test.each([0, Number.NaN, -1])("refuses a maximum of %d rounds", async (maxRounds) => {
      const loop = toolAgentCallerLoop(runtimeWithTools(), {
        ...{ toolAgentId, inputMessages, tools, maxRounds },
        ...endless(1),
      });
      await expect(loop).rejects.toMatchObject({ code: "invalid-argument" });
    });
  });

  test("runs a tool whose arguments the model gives as null or as an empty text", async () => {
    for (const args of [null, ""]) {
      const call = Object.assign(ask("silent", {}), { arguments: args });
      const modelClient = scripted({ content: [call] }, { content: "done" });
      const [asked, result] = await toolAgentCallerLoop(runtimeWithTools(), {
        ...{ toolAgentId, modelClient, inputMessages, tools },
      });
      expect(asked).toMatchObject({ content: [{ arguments: "" }] });
      expect(result).toMatchObject({ content: [{ is_error: false }] });
    }
  });
});
