// An agent that thinks: a model with instructions, whose tool is another agent. The model is a script, so that no key is needed.
import assert from "node:assert/strict";
import { AgentId, defineMessage, type MessageOf, RoutedAgent, rpc, SingleThreadedAgentRuntime } from "troupe";
import { AiAgent, agentTool, Prompt } from "troupe/ai";
import { scriptedModel } from "troupe/ai/testing";
import { z } from "zod";

const Forecast = defineMessage("Forecast", z.object({ degrees: z.number() }));
const AskForecast = defineMessage("AskForecast", z.object({ city: z.string() }), { answer: Forecast });

class Forecaster extends RoutedAgent {
  @rpc(AskForecast)
  forecast({ city }: MessageOf<typeof AskForecast>) {
    return Forecast({ degrees: city === "Lisbon" ? 24 : 10 }); // a Python agent may answer as well
  }
}

const model = scriptedModel([
  { calls: [{ name: "forecast", input: { city: "Lisbon" } }] },
  { text: ["It is 24 degrees ", "in Lisbon."] },
  { text: "Yes, go out." },
]);
const tools = { forecast: agentTool(AskForecast, { to: "forecaster", description: "The weather in a city" }) };

await using runtime = new SingleThreadedAgentRuntime();
await runtime.start();
await Forecaster.register(runtime, "forecaster", () => new Forecaster("knows the weather"));
await AiAgent.register(runtime, "concierge", () => new AiAgent({ model, instructions: "You help guests.", tools }));

const ada = new AgentId("concierge", "ada"); // each key has a conversation of its own
const stream = runtime.stream(Prompt({ text: "How warm is Lisbon?" }), ada);
for await (const { type, delta } of stream) if (type === "text-delta") process.stdout.write(String(delta));
const { text, model_calls } = await stream.answer;
const next = await runtime.sendMessage(Prompt({ text: "Shall I go out?" }), ada);
console.log(`\n${next.text}`);

assert.deepEqual([text, model_calls, next.text], ["It is 24 degrees in Lisbon.", 2, "Yes, go out."]);
assert.match(JSON.stringify(model.calls[2]?.prompt), /How warm is Lisbon.*degrees.*24.*Shall I go out/);
