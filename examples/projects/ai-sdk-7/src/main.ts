// Agents that think with version 7 of the AI SDK: tools, streams, a message that is steered, a team, a recording, approvals.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LanguageModel, ToolLoopAgent, tool } from "ai";
import { AgentId, SingleThreadedAgentRuntime } from "troupe";
import { AiAgent, type AiAgentOptions, agentTool, askModel, keepLast, Prompt, summarize } from "troupe/ai";
import { recordedModel, scriptedModel } from "troupe/ai/testing";
import { maxMessages, mention, participant, RunTeam, roundRobin, selector, Team } from "troupe/teams";
import { z } from "zod";

const ada = new AgentId("concierge", "ada");

async function start(agents: { readonly [type: string]: AiAgentOptions }): Promise<SingleThreadedAgentRuntime> {
  const runtime = new SingleThreadedAgentRuntime();
  await runtime.start();
  for (const [type, options] of Object.entries(agents)) {
    await AiAgent.register(runtime, type, () => new AiAgent(options));
  }
  return runtime;
}

// The agent calls a tool of its own and another agent, with settings that only version 7 has.
{
  const forecast = tool({
    inputSchema: z.object({ city: z.string() }),
    async *execute({ city }) {
      yield `asking about ${city}`;
      yield `dry in ${city}`;
    },
  });
  const buy = agentTool(Prompt, { to: "buyer", description: "Buys things", stream: true });
  const model = scriptedModel([
    { calls: [{ name: "forecast", input: { city: "Lisbon" } }] },
    { calls: [{ name: "buy", input: { text: "bread" } }] },
    { text: ["It is ", "dry."] },
    { text: "Yes." },
  ]);
  const steps: number[] = [];
  const runtime = await start({
    concierge: {
      ...{ model, instructions: "You help guests.", tools: { forecast, buy }, history: { compact: keepLast(40) } },
      ...{ toolCallConcurrency: 1, onStepEnd: () => void steps.push(steps.length) },
    },
    buyer: { agent: new ToolLoopAgent({ model: scriptedModel([{ text: "bought" }]) }) },
  });
  const stream = runtime.stream(Prompt({ text: "Will it rain? Buy bread." }), ada);
  const types = new Set<string>();
  for await (const { type } of stream) types.add(type);
  const reply = await stream.answer;
  assert.deepEqual([reply.text, reply.model_calls, reply.finish_reason], ["It is dry.", 3, "stop"]);
  for (const type of ["tool-input-available", "tool-output-available", "data-agent", "text-delta", "finish"]) {
    assert.ok(types.has(type), `no part ${type}`);
  }
  assert.equal(steps.length, 3);
  assert.equal((await runtime.sendMessage(Prompt({ text: "Really?" }), ada)).text, "Yes.");
  const read = JSON.stringify(model.calls[3]?.prompt);
  for (const text of ["You help guests.", "dry in Lisbon", "bought", "It is dry."])
    assert.ok(read.includes(text), text);
  await runtime.close();
  console.log("tools, another agent and settings of version 7 work");
}

// A model that fails leaves nothing in the history.
{
  const model = scriptedModel([{ error: new Error("no quota") }, { text: "Hello" }]);
  const runtime = await start({ concierge: { model, maxRetries: 0 } });
  await assert.rejects(runtime.sendMessage(Prompt({ text: "1" }), ada), /no quota/);
  await runtime.sendMessage(Prompt({ text: "2" }), ada);
  assert.equal(model.calls[1]?.prompt.length, 1);
  await runtime.close();
  console.log("a turn that fails leaves nothing");
}

// A newer message ends the present turn.
{
  const never = new Promise<void>(() => undefined);
  const model = scriptedModel([{ text: ["one ", "more"], after: never }, { text: "two" }]);
  const runtime = await start({ concierge: { model, whenBusy: "interrupt" } });
  const first = runtime.stream(Prompt({ text: "1" }), ada);
  const parts = first[Symbol.asyncIterator]();
  for (let part = await parts.next(); part.done !== true; part = await parts.next()) {
    if (part.value.type === "text-delta") break;
  }
  assert.equal((await runtime.sendMessage(Prompt({ text: "2" }), ada)).text, "two");
  await assert.rejects(first.answer, /interrupted/);
  assert.deepEqual(
    model.calls[1]?.prompt.map(({ role }) => role),
    ["user", "assistant", "user"],
  );
  await runtime.close();
  console.log("a newer message ends the present turn");
}

// A team of agents that think, whose speakers a model chooses.
{
  const runtime = await start({
    writer: { model: scriptedModel([{ text: "Dust, sun" }, { text: "Dust, rain" }]) },
    critic: { model: scriptedModel([{ text: "Where is the rain?" }, { text: "APPROVE" }]) },
  });
  const chooser = scriptedModel(["writer", "critic", "writer", "critic"].map((text) => ({ text })));
  const participants = [participant("writer", "writes"), participant("critic", "finds mistakes")];
  const candidates = () => ["writer", "critic"];
  const next = selector(askModel(chooser), { candidates });
  await Team.register(runtime, "newsroom", () => new Team({ participants, next, until: mention("APPROVE") }));
  const result = await runtime.sendMessage(RunTeam({ task: "A haiku" }), new AgentId("newsroom", "1"));
  assert.equal(result.messages.length, 5);
  assert.equal(result.prompt_tokens, 40);
  await runtime.close();
  console.log("a team of agents that think works");
}

// A model of the newer interface is recorded and replayed.
{
  const folder = await mkdtemp(join(tmpdir(), "troupe-ai-sdk-7-"));
  const file = join(folder, "writer.jsonl");
  const until = maxMessages(2);
  for (const mode of ["record", "replay"] as const) {
    const model: LanguageModel = recordedModel(scriptedModel([{ text: "Dust, rain" }]), { file, mode });
    const runtime = await start({ writer: { model } });
    const options = { participants: [participant("writer", "writes")], next: roundRobin(), until };
    await Team.register(runtime, "newsroom", () => new Team(options));
    const { messages } = await runtime.sendMessage(RunTeam({ task: "A haiku" }), new AgentId("newsroom", "1"));
    assert.equal(messages.at(-1)?.content, "Dust, rain");
    await runtime.close();
  }
  await rm(folder, { recursive: true });
  console.log("a recording works");
}

// A history is summed up.
{
  const compact = summarize(scriptedModel([{ text: "numbers" }]), { keep: 1 });
  const messages = ["1", "2", "3"].map((content) => ({ role: "user" as const, content }));
  const kept = await compact(messages, { inputTokens: undefined, signal: new AbortController().signal });
  assert.equal(kept.length, 2);
  console.log("a summary works");
}

// What needs approval is refused when the agent is made.
{
  const model = scriptedModel([]);
  const book = tool({ inputSchema: z.object({}), execute: () => "booked" });
  assert.throws(() => new AiAgent({ model, tools: { book }, toolApproval: { book: "user-approval" } }), /approval/);
  console.log("a tool that needs approval is refused");
}
