import { AgentId, type ChatCompletionClient, defineTool, ToolAgent, toolAgentCallerLoop, UserMessage } from "troupe";
import { startTestHost } from "troupe/testing";
import { WorkerRuntime } from "troupe/worker";
import { expect, test } from "vitest";
import { z } from "zod";

/** A model that says what stands in the script, one completion for each request. */
function scriptedModel(script: Awaited<ReturnType<ChatCompletionClient["create"]>>[]): ChatCompletionClient {
  return {
    async create() {
      const completion = script.shift();
      if (completion === undefined) throw new Error("the script has no more completions");
      return completion;
    },
  };
}

test("the tool's result reaches the model, and the model's text the caller", async () => {
  await using host = await startTestHost();
  await using worker = new WorkerRuntime(host);
  await worker.start();
  const weather = defineTool({
    name: "weather",
    description: "The weather in a city",
    schema: z.object({ city: z.string() }),
    run: ({ city }) => `Sunny in ${city}`,
  });
  await ToolAgent.register(worker, "tools", () => new ToolAgent("runs tools", [weather]));

  const conversation = await toolAgentCallerLoop(worker, {
    toolAgentId: new AgentId("tools", "default"),
    modelClient: scriptedModel([
      { content: [{ id: "1", name: "weather", arguments: '{"city":"Lisbon"}' }] },
      { content: "Take sunglasses." },
    ]),
    inputMessages: [UserMessage({ content: "What shall I take to Lisbon?", source: "user" })],
    tools: [weather],
  });

  expect(JSON.stringify(conversation)).toContain("Sunny in Lisbon");
  expect(conversation.at(-1)?.content).toBe("Take sunglasses.");
});
